"""Run again: a new job with the old one's parameters, or with edited ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, Field

from jobdeck.core.jobtype import JobType
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.submitting.submit import Submitter
from jobdeck.services.data.environments import Environments
from jobdeck.services.masking import Masker, ParamVault
from jobdeck.store.views import job_views
from tests.api.conftest import make_core
from tests.api.harness import V1, Api, is_problem


async def test_the_same_again(api: Api) -> None:
    parent = await api.submit("noop", {})
    old = await api.submit(
        "sleep", {"seconds": 2, "steps": 3}, priority=7, tags=["a"], parent=parent["id"], description="Nightly."
    )
    response = await api.raw("POST", f"jobs/{old['id']}/run-again")
    assert response.status_code == 202
    new = response.json()
    assert response.headers["location"] == f"{V1}/jobs/{new['id']}"
    same = ("project", "type", "params", "priority", "tags", "description", "subject")
    assert {n: new[n] for n in same} == {n: old[n] for n in same}
    assert (new["copied_from"], new["parent"], new["state"]) == (old["id"], None, "pending")
    assert old["copied_from"] is None


async def test_edited(api: Api) -> None:
    old = await api.submit("sleep", {"seconds": 2, "steps": 3, "write": "lake/a/b"}, description="Three steps.")
    asked = {"params": {"steps": 4, "write": None}, "priority": 1, "tags": ["again"]}
    new = await api.post(f"jobs/{old['id']}/run-again", asked, 202)
    assert new["params"] == {"seconds": 2, "steps": 4, "write": None}
    assert (new["priority"], new["tags"], new["subject"]) == (1, ["again"], None)
    assert new["description"] != "Three steps."
    told = await api.post(f"jobs/{old['id']}/run-again", {**asked, "description": "Four."}, 202)
    assert told["description"] == "Four."
    bad = await api.raw("POST", f"jobs/{old['id']}/run-again", json={"params": {"steps": "many"}})
    is_problem(bad, 422, field="params.steps")
    is_problem(await api.raw("POST", f"jobs/{old['id']}/run-again", json={"type": "noop"}), 422, field="type")
    is_problem(await api.raw("POST", "jobs/999/run-again"), 404, field="id")


async def test_parameters_that_are_left_out(api: Api) -> None:
    old = await api.submit("sleep", {"seconds": 2, "steps": 3, "write": "lake/a/b"})
    asked = {"params": {"steps": 4}, "replace": True}
    plan = await api.post(f"jobs/{old['id']}/run-again?dry_run=true", asked, 200)
    assert [(c["path"], c["kind"]) for c in plan["changes"]] == [
        ("seconds", "removed"), ("steps", "changed"), ("write", "removed"),
    ]  # fmt: skip
    new = await api.post(f"jobs/{old['id']}/run-again", asked, 202)
    assert (new["params"], new["subject"]) == ({"steps": 4}, None)
    nothing = await api.post(f"jobs/{old['id']}/run-again", {"params": {}, "replace": True}, 202)
    assert nothing["params"] == {}
    is_problem(await api.raw("POST", f"jobs/{old['id']}/run-again", json={"replace": True}), 422, field="params")


async def test_a_configuration_is_kept_in_the_version_that_ran(api: Api) -> None:
    body = {"name": "n", "type": "sleep", "params": {"seconds": 5}}
    saved = await api.post("projects/default/configurations", body, 201)
    old = await api.submit("sleep", {}, configuration=saved["id"])
    await api.ask("PUT", f"projects/default/configurations/{saved['id']}", 200, json={**body, "params": {"seconds": 9}})
    new = await api.post(f"jobs/{old['id']}/run-again", {}, 202)
    assert (new["params"], new["configuration"]) == ({"seconds": 5}, saved["id"])


async def test_the_same_key_runs_it_again_once(api: Api) -> None:
    old = await api.submit()
    path, headers = f"jobs/{old['id']}/run-again", {"Idempotency-Key": "k"}
    first = await api.post(path, {"priority": 3}, 202, headers=headers)
    assert (await api.post(path, {"priority": 3}, 202, headers=headers))["id"] == first["id"]
    is_problem(await api.raw("POST", path, json={"priority": 4}, headers=headers), 409, field="Idempotency-Key")


class Login(BaseModel):
    user: str
    password: str = Field(json_schema_extra={"writeOnly": True})


class Fetch(JobType):
    """Takes a secret."""

    class Params(BaseModel):
        """Where from, as whom."""

        url: str
        logins: list[Login]


async def test_a_secret_that_was_shown_masked_stays_what_it_was(sqlite_ready_url: str, tmp_path: Path) -> None:
    core = make_core(sqlite_ready_url, tmp_path)
    registry = TypeRegistry([RegisteredType("fetch", f"{__name__}:Fetch", Fetch)])
    seals = ParamVault(Masker(registry), core.vault)
    submitter = Submitter(core.database, registry, Environments(core.database, core.installation).of, seals=seals)
    async with Api.over(replace(core, registry=registry, submitter=submitter), tmp_path) as api:
        old = await api.submit("fetch", {"url": "x", "logins": [{"user": "a", "password": "s3cret"}]})
        shown = old["params"]
        assert "s3cret" not in str(old)
        edited = {"url": "y", "logins": [{**shown["logins"][0], "user": "b"}]}
        new = await api.post(f"jobs/{old['id']}/run-again", {"params": edited}, 202)
        assert new["params"] == edited
        left = await api.post(f"jobs/{old['id']}/run-again", {"params": edited, "replace": True}, 202)
        more = {"logins": [*shown["logins"], {"user": "c", "password": "********"}]}
        is_problem(await api.raw("POST", f"jobs/{old['id']}/run-again", json={"params": more}), 422, field="params")
        async with core.database.read() as connection:
            rows = await job_views.many(connection, [new["id"], left["id"]])
    for row in rows.values():
        assert "s3cret" not in row["params"]
        opened = seals.open(row["project_id"], json.loads(row["params"]), row["secrets"])
        assert opened == {"url": "y", "logins": [{"user": "b", "password": "s3cret"}]}
    assert len(rows) == 2
    await core.database.close()
