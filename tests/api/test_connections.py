"""Connections: kept with encrypted secrets, which only the tasks of their project ever see."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from jobdeck.core.errors import Unavailable
from jobdeck.services.data.environments import Environments
from jobdeck.store import schema
from tests.api.harness import Api, is_problem

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


async def test_a_secret_that_was_put_among_the_options_is_masked(small: Api) -> None:
    made = await small.post(PATH, {**BUCKET, "options": {"url": "s3://b", "password": "p"}, "secrets": {}}, 201)
    assert made["options"] == {"url": "s3://b", "password": "********"}
