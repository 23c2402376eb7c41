"""Variables that a job gives to its program: their names are shown, their values nowhere; running again keeps them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.services.masking import MASK
from jobdeck.store.views import job_views
from tests.api.conftest import api_of_commands
from tests.api.harness import Api, is_problem

PLAIN = {"REGION": "north-by-northwest", "API_TOKEN": "s3cret-t0ken"}
SHOWN = {"REGION": MASK, "API_TOKEN": MASK}
VALUES = (*PLAIN.values(), "another-s3cret")


@pytest.fixture
async def api(ready_url: str, tmp_path: Path, home: Path) -> AsyncIterator[Api]:
    async with api_of_commands(ready_url, tmp_path, home) as made:
        yield made


async def kept(api: Api, job_id: int) -> Any:
    """The variables as the program gets them."""
    async with api.core.database.read() as connection:
        row = await job_views.get(connection, job_id)
    assert row is not None
    assert is_silent(row["params"], row["secrets"])
    return api.core.seals().open(row["project_id"], json.loads(row["params"]), row["secrets"])["env"]


def is_silent(*answers: Any) -> bool:
    return not any(value in json.dumps(answer) for answer in answers for value in VALUES)


async def test_they_are_shown_nowhere(api: Api) -> None:
    params = {"argv": ["ls"], "env": PLAIN}
    job = await api.submit("command", params)
    assert job["params"]["env"] == SHOWN
    changed = {"params": {"env": {**SHOWN, "API_TOKEN": "another-s3cret"}}}
    again = await api.post(f"jobs/{job['id']}/run-again", changed, 202)
    plan = await api.post("projects/default/jobs?dry_run=true", {"type": "command", "params": params}, 200)
    plan_again = await api.post(f"jobs/{job['id']}/run-again?dry_run=true", changed, 200)
    difference = await api.get(f"jobs/{again['id']}/diff")
    told = [{"path": "env.API_TOKEN", "kind": "changed", "old": MASK, "new": MASK}]
    assert plan["params"]["env"] == plan_again["params"]["env"] == SHOWN
    assert plan_again["changes"] == difference["changes"] == told
    paths = ("jobs", f"jobs/{job['id']}", f"jobs/{again['id']}", f"jobs/{job['id']}/events", "types/command")
    assert is_silent(job, again, plan, plan_again, difference, *[await api.get(path) for path in paths])


async def test_running_again_keeps_them(api: Api) -> None:
    job = await api.submit("command", {"argv": ["ls"], "env": PLAIN})
    for asked in ({}, {"params": {"env": SHOWN}}):
        assert await kept(api, (await api.post(f"jobs/{job['id']}/run-again", asked, 202))["id"]) == PLAIN
    fewer = {"env": {"REGION": MASK, "NEW": "n"}}
    again = await api.post(f"jobs/{job['id']}/run-again", {"params": fewer}, 202)
    assert await kept(api, again["id"]) == {"REGION": PLAIN["REGION"], "NEW": "n"}
    renamed = {"env": {"OTHER": MASK}}
    is_problem(await api.raw("POST", f"jobs/{job['id']}/run-again", json={"params": renamed}), 422, field="params")


async def test_a_configuration_keeps_them_when_it_is_saved_as_it_was_shown(api: Api) -> None:
    body = {"name": "n", "type": "command", "params": {"argv": ["ls"], "env": PLAIN}}
    made = await api.post("projects/default/configurations", body, 201)
    assert made["params"]["env"] == SHOWN
    shown = {**body, "params": {**made["params"], "argv": ["ls", "-l"]}}
    saved = await api.ask("PUT", f"projects/default/configurations/{made['id']}", 200, json=shown)
    assert is_silent(made, saved)
    job = await api.submit("command", {}, configuration=made["id"])
    assert await kept(api, job["id"]) == PLAIN
    other = {"env": {"REGION": MASK, "API_TOKEN": "another-s3cret"}}
    job = await api.submit("command", other, configuration=made["id"])
    assert await kept(api, job["id"]) == {**PLAIN, "API_TOKEN": "another-s3cret"}
