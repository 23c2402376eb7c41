"""A dry run checks what a submission checks, tells what the job would do, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from sqlalchemy import func, select

from jobdeck.core.environment import Environment
from jobdeck.core.jobtype import JobType
from jobdeck.core.registry import RegisteredType
from jobdeck.engine.preview import Previewer
from jobdeck.store import schema
from tests.api import strange_looks as strange
from tests.api.harness import Api, is_problem

JOBS = "projects/default/jobs"
DRY = f"{JOBS}?dry_run=true"


def registered(job_type: type[JobType]) -> RegisteredType:
    return RegisteredType(job_type.type_name(), f"{job_type.__module__}:{job_type.__name__}", job_type)


async def everything(api: Api) -> dict[str, int]:
    """Rows of the tables that a submission writes."""
    async with api.core.database.read() as connection:
        return {
            table.name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (schema.jobs, schema.events, schema.idempotency, schema.leases)
        }


async def test_it_tells_the_job_and_stores_nothing(api: Api) -> None:
    before = await everything(api)
    body = {
        "type": "sleep",
        "params": {"seconds": 0, "steps": 2, "tasks": 3, "write": "lake/a/b", "retries": 1},
        "priority": 7,
        "tags": ["x", "x"],
    }
    plan = await api.post(DRY, body, 200, headers={"Idempotency-Key": "k"})
    assert plan["ok"] is True
    assert (plan["type"], plan["project"], plan["subject"], plan["priority"]) == ("sleep", "default", "lake/a/b", 7)
    assert plan["tags"] == ["x"]
    assert [(s["name"], s["each"], s["tasks"], s["retries"]) for s in plan["steps"]] == [
        ("sleep-0", "parameters", 3, 1),
        ("sleep-1", "parameters", 3, 1),
    ]
    claims = {c["resource"]: c for c in plan["claims"]}
    assert claims["object:lake/a/b"] == {
        "resource": "object:lake/a/b", "units": 1, "mode": "exclusive", "free": True, "capacity": None, "used": 0,
        "holders": [], "own": True,
    }  # fmt: skip
    assert claims["project:default"]["capacity"] == 10
    assert [w["reason"] for w in plan["wait"]] == ["no_worker"]
    assert (plan["can_preview"], plan["preview"], plan["error"]) == (False, None, None)
    assert await everything(api) == before
    submitted = await api.post(JOBS, body, 202, headers={"Idempotency-Key": "k"})
    assert submitted["description"] == plan["description"]
    assert (await api.post(DRY, {"type": "noop", "params": {}}, 200))["steps"] == []


async def test_it_names_who_holds_what_it_needs(api: Api) -> None:
    await api.post("projects", {"name": "other"}, 201)
    await api.token("elsewhere", "operator", "other")
    holder = (await api.submit("sleep", {"write": "lake/a/b"}))["id"]
    await api.lease(holder, ["project:default/object:lake/a/b", 1, "x"], ["instance", 1, "s"])
    plan = await api.post(DRY, {"type": "sleep", "params": {"write": "lake/a/b"}}, 200)
    claims = {c["resource"]: c for c in plan["claims"]}
    assert (claims["object:lake/a/b"]["free"], claims["object:lake/a/b"]["holders"]) == (False, [holder])
    assert claims["instance"]["free"] is True
    assert plan["wait"][0]["holders"] == [holder]
    hidden = await api.post("projects/other/jobs?dry_run=true", {"type": "noop"}, 200, token="elsewhere")
    (instance,) = [c for c in hidden["claims"] if c["resource"] == "instance"]
    assert (instance["used"], instance["holders"]) == (0, [])


async def test_it_refuses_what_a_submission_refuses(api: Api) -> None:
    is_problem(await api.raw("POST", DRY, json={"type": "sleep", "params": {"seconds": -1}}), 422, "invalid_params")
    is_problem(await api.raw("POST", DRY, json={"type": "noop", "parent": 99}), 422, field="parent")
    is_problem(await api.raw("POST", DRY, json={"type": "noop", "configuration": 99}), 422, field="configuration")
    is_problem(await api.raw("POST", DRY, json={"type": "slep"}), 422, "unknown_job_type")
    body = {"type": "import", "params": {"files": ["file:99"], "into": "lake/a/b"}}
    is_problem(await api.raw("POST", DRY, json=body), 422, field="params.files[0]")
    await api.token("looker", "viewer")
    is_problem(await api.raw("POST", DRY, json={"type": "noop"}, token="looker"), 403, "forbidden")


async def test_it_tells_the_job_that_is_there_already(api: Api) -> None:
    body = {"type": "sleep", "params": {"seconds": 5}, "deduplicate": True}
    there = await api.post(JOBS, body, 202)
    assert (await api.post(DRY, body, 200))["duplicate_of"] == there["id"]
    other = {**body, "params": {"seconds": 6}}
    assert (await api.post(DRY, other, 200))["duplicate_of"] is None


async def upload(api: Api, name: str, content: bytes) -> str:
    files = {"file": (name, content)}
    return f"file:{(await api.ask('POST', 'projects/default/files', 201, files=files))['id']}"


async def test_an_import_shows_its_columns_and_what_does_not_fit(small: Api) -> None:
    good = await upload(small, "a.csv", b"id,name,at\n1,x,2026-01-02\n2,y,2026-01-03\n")
    bad = await upload(small, "b.csv", b"id,name,at\nthree\n")
    params: dict[str, Any] = {"files": [good], "into": "lake/shop/orders"}
    body = {"type": "import", "params": params}
    plan = await small.post(DRY, body, 200)
    found = plan["preview"]
    assert plan["ok"] is True
    assert found["inputs"] == [{"object": good, "name": "a.csv", "format": "csv", "rows": 2, "bytes": 41, "columns": 3}]
    assert found["outputs"] == [
        {"object": "lake/shop/orders", "action": "create", "exists": False, "version": None, "rows": 2}
    ]
    assert [(c["name"], c["source_type"], c["type"], c["how"]) for c in found["columns"]] == [
        ("id", "text", "int64", "read"),
        ("name", "text", "string", "read"),
        ("at", "text", "date", "read"),
    ]
    assert [(s["name"], s["tasks"]) for s in plan["steps"]] == [("inspect", 1), ("load", 1), ("publish", 1)]
    params["files"] = [good, bad]
    plan = await small.post(DRY, body, 200)
    assert plan["ok"] is False
    (refusal,) = plan["preview"]["refusals"]
    assert (refusal["code"], refusal["object"]) == ("bad_row", bad)
    params |= {"files": [good], "columns": {"name": "int64"}}
    first, second = (await small.post(DRY, body, 200))["preview"]["refusals"]
    assert "column 'name': 'x'" in first["message"]
    assert "column 'name': 'y'" in second["message"]
    params |= {"on_bad_row": "reject"}
    plan = await small.post(DRY, body, 200)
    assert plan["ok"] is True
    notes = plan["preview"]["notes"]
    assert "2 of the rows" in notes[0]
    assert [note.partition("(line ")[2][:1] for note in notes[1:]] == ["2", "3"]


async def test_an_import_is_held_against_the_table_that_is_there(small: Api) -> None:
    root = Path(small.core.installation.storage_url.removeprefix("file://"))
    folder = root / "projects" / "default" / "lake" / "shop" / "orders"
    folder.mkdir(parents=True)
    write_deltalake(str(folder), pa.table({"id": pa.array([1], pa.int64()), "price": pa.array([1.5])}))
    fits = await upload(small, "a.csv", b"id\n7\n")
    plan = await small.post(DRY, {"type": "import", "params": {"files": [fits], "into": "lake/shop/orders"}}, 200)
    assert plan["preview"]["outputs"][0] | {"rows": 0} == {
        "object": "lake/shop/orders", "action": "append", "exists": True, "version": "0", "rows": 0,
    }  # fmt: skip
    assert [(c["name"], c["how"]) for c in plan["preview"]["columns"]] == [("id", "read"), ("price", "empty")]
    other = await upload(small, "b.csv", b"id,colour\n7,red\n")
    plan = await small.post(DRY, {"type": "import", "params": {"files": [other], "into": "lake/shop/orders"}}, 200)
    assert plan["ok"] is False
    assert plan["preview"]["refusals"][0]["code"] == "schema_mismatch"
    assert [c["name"] for c in plan["preview"]["columns"]] == ["id", "colour"]


async def test_run_again_tells_what_is_different(api: Api) -> None:
    old = await api.submit("sleep", {"seconds": 1, "steps": 2})
    before = await everything(api)
    body = {"params": {"seconds": 2, "tasks": 4}, "priority": 1}
    plan = await api.post(f"jobs/{old['id']}/run-again?dry_run=true", body, 200)
    assert {c["path"]: (c["kind"], c["old"], c["new"]) for c in plan["changes"]} == {
        "seconds": ("changed", 1, 2),
        "tasks": ("added", None, 4),
    }
    assert (plan["params"], plan["priority"]) == ({"seconds": 2, "steps": 2, "tasks": 4}, 1)
    assert await everything(api) == before


@pytest.mark.parametrize(
    ("job_type", "code"),
    [(strange.Refuses, "invalid_input"), (strange.Dies, "dry_run_died"), (strange.Nonsense, "unexpected_error")],
)
async def test_a_look_that_goes_wrong_is_told(job_type: type[JobType], code: str) -> None:
    look = await Previewer().look(registered(job_type), {}, "default", Environment())
    assert look.error is not None
    assert (look.error.code, look.preview) == (code, None)


@pytest.mark.parametrize("job_type", [strange.Hangs, strange.HangsEarly])
async def test_no_type_can_hang_the_server(job_type: type[JobType]) -> None:
    began = time.monotonic()
    look = await Previewer(patience=2.0).look(registered(job_type), {}, "default", Environment())
    assert look.error is not None
    assert look.error.code == "timeout"
    assert time.monotonic() - began < 60


async def test_a_step_that_is_called_preview_is_not_run() -> None:
    look = await Previewer().look(registered(strange.StepCalledPreview), {}, "default", Environment())
    assert (look.error, look.preview) == (None, None)
    assert [step.name for step in look.steps] == ["preview"]
