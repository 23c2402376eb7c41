"""Connections: kept with encrypted secrets, which only the tasks of their project ever see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from jobdeck.core.errors import Unavailable
from jobdeck.services.data.environments import Environments
from jobdeck.store import schema
from tests.api.conftest import make_core
from tests.api.harness import Api, is_problem
from tests.s3 import Bucket

PATH = "projects/default/connections"
BUCKET = {
    "name": "bucket",
    "kind": "files",
    "options": {"url": "s3://b/p", "options": {"aws_region": "eu"}},
    "secrets": {"options": {"aws_secret_access_key": "s3cret"}},
}
MASKED = {"options": {"aws_secret_access_key": "********"}}


async def test_secrets_go_to_tasks_and_nowhere_else(api: Api) -> None:
    made = await api.post(PATH, BUCKET, 201)
    assert (made["options"], made["secrets"]) == (BUCKET["options"], MASKED)
    listed = (await api.get(PATH))["items"]
    assert [(c["name"], c["kind"]) for c in listed] == [("bucket", "files"), ("lake", "lake")]
    assert listed[0] == made
    async with api.core.database.read() as connection:
        stored = (await connection.execute(select(schema.connections))).mappings().one()
        told = (await connection.execute(select(schema.events.c.data))).scalars().all()
    assert "s3cret" not in str(dict(stored)) + str(told)
    environments = Environments(api.core.database, api.core.installation, vault=api.core.vault)
    assert (await environments.of("default")).connections["bucket"].options == BUCKET["options"]
    assert (await environments.for_tasks("default")).connections["bucket"].options == {
        "url": "s3://b/p", "options": {"aws_region": "eu", "aws_secret_access_key": "s3cret"},
    }  # fmt: skip
    with pytest.raises(Unavailable):
        await Environments(api.core.database, api.core.installation).for_tasks("default")


async def test_a_name_is_given_once_in_a_project_and_again_after_deletion(api: Api) -> None:
    await api.post("projects", {"name": "other"}, 201)
    await api.post(PATH, BUCKET, 201)
    is_problem(await api.raw("POST", PATH, json=BUCKET), 409, "conflict", "name")
    await api.post("projects/other/connections", BUCKET, 201)
    await api.ask("DELETE", f"{PATH}/bucket", 204)
    is_problem(await api.raw("DELETE", f"{PATH}/bucket"), 404, field="name")
    assert len((await api.get("projects/other/connections"))["items"]) == 2
    assert (await api.post(PATH, {**BUCKET, "secrets": {}}, 201))["secrets"] == {}


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": "lake"}, 409, "name"),
        ({"name": "Bad Name"}, 422, "name"),
        ({"kind": "nosuch"}, 422, "kind"),
        ({"kind": "lake"}, 422, "kind"),
        ({"options": {"options": {"aws_secret_access_key": "x"}}}, 422, "secrets.options.aws_secret_access_key"),
        ({"secrets": {"x": "y" * 300_000}}, 413, "secrets"),
        ({"more": 1}, 422, "more"),
    ],
)
async def test_what_is_refused(small: Api, change: dict[str, object], status: int, field: str) -> None:
    response = await small.raw("POST", PATH, json={**BUCKET, **change})
    is_problem(response, status, field=field)
    assert "s3cret" not in response.text
    assert len((await small.get(PATH))["items"]) == 1


async def test_the_lake_stays(small: Api, tmp_path: Path) -> None:
    is_problem(await small.raw("DELETE", f"{PATH}/lake"), 409, field="name")
    assert (tmp_path / "secret.key").exists()


@pytest.mark.parametrize(
    ("options", "secrets"),
    [
        ({"region": "eu"}, {"aws_access_key_id": "k", "aws_secret_access_key": "s3cret"}),
        ({"options": {"region": "eu"}}, {"options": {"aws_access_key_id": "k", "aws_secret_access_key": "s3cret"}}),
        ({"region": "eu", "aws_access_key_id": "k"}, {"aws_secret_access_key": "s3cret"}),
        ({"region": "eu", "options": {"aws_access_key_id": "k", "aws_secret_access_key": "s3cret"}}, {}),
    ],
    ids=["flat", "below options", "the id beside the url", "keys among the options"],
)
async def test_keys_are_taken_however_they_are_written(
    small: Api, options: dict[str, object], secrets: dict[str, object]
) -> None:
    """They arrive below `options` at the tasks, and what is secret is sealed and shown masked."""
    name = f"b{abs(hash(str((options, secrets))))}"
    path = f"{PATH}/{name}"
    asked = {"name": name, "kind": "files", "options": {"url": "s3://b/p", **options}, "secrets": secrets}
    made = await small.post(PATH, asked, 201)
    assert made["options"] == {"url": "s3://b/p", "options": {"region": "eu"}}
    assert made["secrets"] == {"options": {"aws_access_key_id": "********", "aws_secret_access_key": "********"}}
    assert await small.get(path) == made
    environments = Environments(small.core.database, small.core.installation, vault=small.core.vault)
    assert (await environments.for_tasks("default")).connections[name].options == {
        "url": "s3://b/p", "options": {"region": "eu", "aws_access_key_id": "k", "aws_secret_access_key": "s3cret"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"options": {"url": "s3://b", "regoin": "eu"}}, "Did you mean 'region'?"),
        ({"options": {"ulr": "s3://b"}}, "Did you mean 'url'?"),
        ({"secrets": {"aws_secret_acces_key": "s3cret"}}, "Did you mean 'secret_access_key'?"),
        ({"secrets": {"options": {"access_key": "s3cret"}}}, "Did you mean 'access_key_id'?"),
        ({"options": {"url": "s3://b", "proxy_url": "http://x"}}, "It is an option of the installation's own storage."),
        ({"secrets": {"password": "s3cret"}}, "There are: url, access_key_id,"),
    ],
)
async def test_names_that_are_none_are_refused(small: Api, change: dict[str, object], hint: str) -> None:
    response = await small.raw("POST", PATH, json={**BUCKET, "name": "none", **change})
    is_problem(response, 422, "invalid_storage_option")
    assert response.json()["hint"].startswith(hint)
    assert "s3cret" not in response.text


async def _told(api: Api) -> dict[str, object]:
    """What the history has of the last change of a connection."""
    history = await api.get("events/history?kind=connection.changed&limit=1")
    data: dict[str, object] = history["items"][0]["data"]
    assert "s3cret" not in str(history)
    return data


async def test_a_change_leaves_what_it_does_not_name(api: Api) -> None:
    await api.post(PATH, BUCKET, 201)
    path = f"{PATH}/bucket"
    changed = await api.ask("PATCH", path, 200, json={"options": {"region": "eu", "url": "s3://b/other"}})
    assert changed["options"] == {"url": "s3://b/other", "options": {"region": "eu"}}
    assert changed["secrets"] == MASKED
    assert (await _told(api))["changed"] == ["aws_region", "region", "url"]
    masked = await api.ask("PATCH", path, 200, json={"secrets": MASKED})
    assert masked["secrets"] == MASKED, "what comes as it was shown stays"
    for address in ({"url": "s3://elsewhere"}, {"endpoint": "https://evil.example"}, {"region": "us-east-2"}):
        refused = await api.raw("PATCH", path, json={"options": address})
        is_problem(refused, 422, "secret_needed_again", "secrets.options.aws_secret_access_key")
    kept = await api.raw("PATCH", path, json={"options": {"url": "s3://elsewhere"}, "secrets": MASKED})
    is_problem(kept, 422, "secret_needed_again")
    moved = {"options": {"url": "s3://elsewhere"}, "secrets": {"secret_access_key": "n3w"}}
    assert (await api.ask("PATCH", path, 200, json=moved))["options"]["url"] == "s3://elsewhere"
    assert (await _told(api))["changed"] == ["url", "secrets"]
    environments = Environments(api.core.database, api.core.installation, vault=api.core.vault)
    there = (await environments.for_tasks("default")).connections["bucket"].options
    assert there == {"url": "s3://elsewhere", "options": {"region": "eu", "secret_access_key": "n3w"}}
    taken_out = await api.ask("PATCH", path, 200, json={"secrets": {"secret_access_key": None}})
    assert taken_out["secrets"] == {}
    is_problem(await api.raw("PATCH", f"{PATH}/lake", json={}), 409, field="name")
    is_problem(await api.raw("PATCH", f"{PATH}/buckte", json={}), 404, field="name")
    assert "s3cret" not in str([e["data"] for e in (await api.get("events/history"))["items"]])


async def test_a_place_is_looked_at(sqlite_ready_url: str, tmp_path: Path, home: Path, s3_bucket: Bucket) -> None:
    """With the keys of the connection, in a process of its own; what is wrong is said."""
    core = make_core(sqlite_ready_url, tmp_path)
    allowed = replace(core.installation, allowed_endpoints=("127.0.0.1", "localhost"))
    async with Api.over(replace(core, installation=allowed), home) as small:
        await _look(small, s3_bucket)
    await core.database.close()


async def _look(small: Api, s3_bucket: Bucket) -> None:
    good = {"url": s3_bucket.url, "endpoint": s3_bucket.endpoint, "allow_http": True}
    keys = {n: v for n, v in s3_bucket.options.items() if "key" in n}
    for name, options in (("good", good), ("gone", good | {"url": "s3://no-such-bucket"})):
        await small.post(PATH, {"name": name, "kind": "files", "options": options, "secrets": keys}, 201)
    found = await small.post(f"{PATH}/good/test", {}, 200)
    assert (found["ok"], found["text"]) == (True, f"{s3_bucket.url} answers; nothing is there yet.")
    gone = await small.post(f"{PATH}/gone/test", {}, 200)
    assert (gone["ok"], gone["code"]) == (False, "bucket_not_found")
    assert keys["aws_secret_access_key"] not in str(gone)
    is_problem(await small.raw("POST", f"{PATH}/none/test"), 404, field="name")
    viewer = await small.post("tokens", {"name": "looker", "role": "viewer"}, 201)
    is_problem(await small.raw("POST", f"{PATH}/good/test", token=viewer["token"]), 403)


@pytest.mark.parametrize(
    ("options", "secrets", "field"),
    [
        ({}, {"secret_access_key": {"a": 1}}, "secrets.secret_access_key"),
        ({}, {"options": {"AWS_SECRET_ACCESS_KEY": ["x"]}}, "secrets.options.AWS_SECRET_ACCESS_KEY"),
        ({"allow_http": "maybe"}, {}, "options.allow_http"),
        ({"options": {"aws_allow_http": "maybe"}}, {}, "options.options.aws_allow_http"),
    ],
)
async def test_an_option_that_cannot_be_is_named_as_it_was_written(
    small: Api, options: dict[str, object], secrets: dict[str, object], field: str
) -> None:
    asked = {"name": "b", "kind": "files", "options": {"url": "s3://b/p", **options}, "secrets": secrets}
    is_problem(await small.raw("POST", PATH, json=asked), 422, "invalid_storage_option", field)
