"""A secret goes only where whoever typed it sent it: others may use it as it stands, and not aim it elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jobdeck.core.secrecy import MASK
from tests.api.conftest import api_of_commands
from tests.api.harness import Api, is_problem

ENV = {"API_TOKEN": "s3cr3t-value-9", "REGION": "eu-secret-place"}
SHOWN = dict.fromkeys(ENV, MASK)
PARAMS = {"argv": ["ls"], "env": ENV}


@pytest.fixture
async def api(ready_url: str, tmp_path: Path, home: Path) -> AsyncIterator[Api]:
    async with api_of_commands(ready_url, tmp_path, home) as made:
        for name in ("ann", "ben"):
            await made.token(name, "operator", "default")
        yield made


REAIMED: list[dict[str, Any]] = [
    {"argv": ["sh", "-c", "echo $API_TOKEN | base64"]},
    {"argv": ["ls"], "cwd": "/"},
    {"env": {"API_TOKEN": MASK}},
    {"env": {**SHOWN, "LD_PRELOAD": "/x.so"}},
    {"env": {**SHOWN, "REGION": "elsewhere-now"}},
    {"timeout": 5},
]


async def submitted(api: Api, token: str, **more: Any) -> Any:
    body = {"type": "command", "params": PARAMS, **more}
    return await api.ask("POST", "projects/default/jobs", 202, json=body, token=token)


async def test_another_may_run_a_job_again_as_it_was(api: Api) -> None:
    job = await submitted(api, "ann")
    whole = {"params": {**PARAMS, "env": SHOWN}, "replace": True}
    for asked in ({}, {"params": {"env": SHOWN}}, whole, {"priority": 3}):
        again = await api.post(f"jobs/{job['id']}/run-again", asked, 202, token="ben")
        assert await opened(api, again["id"]) == PARAMS


async def test_another_cannot_aim_its_secrets_elsewhere(api: Api) -> None:
    job = await submitted(api, "ann")
    copy = await api.post(f"jobs/{job['id']}/run-again", {}, 202, token="ben")  # being the copier makes no owner
    for source in (job, copy):
        for change in REAIMED:
            for path in (f"jobs/{source['id']}/run-again", f"jobs/{source['id']}/run-again?dry_run=true"):
                refused = await api.raw("POST", path, json={"params": change}, token="ben")
                told = is_problem(refused, 422, "secret_needed_again")
                assert told["secrets"][0].startswith("params.env.")
                assert "s3cr3t" not in refused.text
    typed = {"argv": ["ls", "-l"], "env": {"API_TOKEN": "bens-own-token", "REGION": "bens-own-region"}}
    mine = await api.post(f"jobs/{job['id']}/run-again", {"params": typed}, 202, token="ben")
    assert (await opened(api, mine["id"]))["env"] == typed["env"]


async def test_who_typed_them_may_change_what_they_like(api: Api) -> None:
    job = await submitted(api, "ann")
    for change in REAIMED:
        await api.post(f"jobs/{job['id']}/run-again", {"params": change}, 202, token="ann")


async def test_the_same_holds_for_configurations(api: Api) -> None:
    body: dict[str, Any] = {"name": "n", "type": "command", "params": PARAMS}
    job: dict[str, Any] = {}
    made = await api.post("projects/default/configurations", body, 201, token="ann")
    path = f"projects/default/configurations/{made['id']}"
    plain = await submitted(api, "ben", params={}, configuration=made["id"])
    assert await opened(api, plain["id"]) == PARAMS
    for change in REAIMED:
        job = {"type": "command", "configuration": made["id"], "params": change}
        is_problem(await api.raw("POST", "projects/default/jobs", json=job, token="ben"), 422, "secret_needed_again")
        changed = {**body, "params": {**PARAMS, "env": SHOWN, **change}}
        is_problem(await api.raw("PUT", path, json=changed, token="ben"), 422, "secret_needed_again")
        is_problem(
            await api.raw("POST", f"jobs/{plain['id']}/run-again", json={"params": change}, token="ben"), 422,
            "secret_needed_again",
        )  # fmt: skip
    renamed: dict[str, Any] = {**body, "name": "other", "params": {**PARAMS, "env": SHOWN}}
    await api.ask("PUT", path, 200, json=renamed, token="ben")
    is_problem(await api.raw("POST", "projects/default/jobs", json=job, token="ben"), 422, "secret_needed_again")
    await api.ask("PUT", path, 200, json={**renamed, "params": {**renamed["params"], "argv": ["id"]}}, token="ann")


async def test_a_box_opens_in_no_other_project(api: Api) -> None:
    """A row that was changed by hand does not give a secret away."""
    job = await submitted(api, "ann")
    await api.post("projects", {"name": "other"}, 201)
    await api.put_job(job["id"], project_id=2)
    refused = await api.raw("POST", f"jobs/{job['id']}/run-again", json={})
    is_problem(refused, 503, "secrets_unreadable")


async def test_no_table_has_them(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    job = await api.ask("POST", "projects/default/jobs", 202, json={"type": "command", "params": PARAMS}, headers=key)
    await api.post(f"jobs/{job['id']}/run-again", {}, 202)
    await api.post("projects/default/configurations", {"name": "n", "type": "command", "params": PARAMS}, 201)
    async with api.core.database.read() as connection:
        found = ""
        for table in ("jobs", "configurations", "events", "idempotency", "segments"):
            found += str((await connection.execute(text(f"SELECT * FROM {table}"))).all())
    assert "argv" in found
    assert not any(value in found for value in ENV.values())


async def opened(api: Api, job_id: int) -> Any:
    async with api.core.database.read() as connection:
        query = text("SELECT project_id, params, secrets FROM jobs WHERE id = :id")
        row = (await connection.execute(query, {"id": job_id})).one()
    return api.core.seals().open(row.project_id, json.loads(row.params), row.secrets)
