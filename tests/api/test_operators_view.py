"""What an operator looks at: workers by their names, health and figures that tell who really takes jobs."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import insert, update

from jobdeck.services.admin import metrics
from jobdeck.services.admin.health import HealthCheck
from jobdeck.store import garbage
from jobdeck.store.garbage import Doomed
from jobdeck.store.running import workers as store
from jobdeck.store.schema import failures, storage_garbage, workers
from jobdeck.store.sql.database import Tx
from tests.api.harness import Api, is_problem


async def hire(api: Api, id: str, name: str, state: str = "active", **columns: Any) -> None:
    async def work(tx: Tx) -> None:
        row = {
            "id": id, "name": name, "host": "h", "pid": 1, "state": state, "slots": 2, "light_slots": 2,
            "types": '["noop"]', "version": "1", "started_at": tx.now, "heartbeat_at": tx.now + 60_000_000,
        }  # fmt: skip
        await tx.connection.execute(insert(workers).values({**row, **columns}))

    await api.core.database.transact(work)


async def told(api: Api, word: str, operation: str, status: int = 200) -> Any:
    return await api.post(f"workers/{word}/{operation}", status=status)


async def test_a_worker_is_named_by_id_name_or_beginning(api: Api) -> None:
    await hire(api, "aa11", "vm-east")
    await hire(api, "bb22", "vm-west")
    await hire(api, "cc33", "vm-west", state="gone")
    await hire(api, "dd44", "vm")
    for word, wanted in (("aa11", "aa11"), ("aa", "aa11"), ("vm-west", "bb22"), ("vm-e", "aa11"), ("vm", "dd44")):
        assert (await api.get(f"workers/{word}"))["id"] == wanted, word
        assert (await told(api, word, "drain"))["id"] == wanted
        assert (await api.get(f"workers/{wanted}"))["state"] == "draining"
        assert (await told(api, word, "undrain"))["state"] == "live"
    refused = is_problem(await api.raw("POST", "workers/vm-/drain"), 422, "ambiguous_worker", "id")
    assert "bb22 (vm-west)" in refused["detail"]
    assert "aa11 (vm-east)" in refused["detail"]
    for word in ("zz", "vm%25", "v_", "%20", "a%00"):
        is_problem(await api.raw("POST", f"workers/{word}/drain"), 404, "not_found", "id")
    assert {w["state"] for w in (await api.get("workers"))["items"] if w["id"] != "cc33"} == {"live"}


async def test_what_has_ended_or_is_about_to_cannot_be_undrained(api: Api) -> None:
    await hire(api, "gone1", "old", state="gone")
    await hire(api, "leaving1", "stopping", state="leaving")
    for word in ("old", "stopping"):
        is_problem(await api.raw("POST", f"workers/{word}/undrain"), 409, "worker_gone", "id")
    is_problem(await api.raw("POST", "workers/old/drain"), 409, "worker_gone", "id")
    assert (await told(api, "stopping", "drain"))["state"] == "draining", "it drains already"
    assert not await store.set_state(api.core.database, "leaving1", store.ACTIVE)


async def test_both_are_done_by_administrators_of_all_and_told_in_the_history(small: Api) -> None:
    await hire(small, "aa11", "vm")
    await small.token("op", "operator")
    for operation in ("drain", "undrain"):
        is_problem(await small.raw("POST", f"workers/vm/{operation}", token="op"), 403, "forbidden")
        await told(small, "vm", operation)
        await told(small, "vm", operation)
    kinds = [event["kind"] for event in (await small.get("events/history?kind=worker"))["items"]]
    assert kinds == ["worker.undrained", "worker.draining"], "once each, and the second time nothing changed"


def figures(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def looked(api: Api) -> dict[str, Any]:
    api.app.state.services.of(HealthCheck)._known = None
    found: dict[str, Any] = await api.get("health")
    return found


async def test_who_drains_is_not_counted_as_one_that_takes_jobs(api: Api) -> None:
    await hire(api, "aa11", "vm", state="draining")
    await hire(api, "bb22", "vm2", state="leaving")
    found = await looked(api)
    assert found["parts"]["worker"] == {"status": "draining", "live": 0, "draining": 2}
    assert found["status"] == "degraded"
    shown = figures(await api.ask("GET", "/metrics", 200))
    assert (shown["jobdeck_workers_live"], shown["jobdeck_workers_draining"]) == (0, 2)
    await told(api, "aa11", "undrain")
    assert (await looked(api))["parts"]["worker"] == {"status": "ok", "live": 1, "draining": 1}
    shown = figures(await api.ask("GET", "/metrics", 200))
    assert (shown["jobdeck_workers_live"], shown["jobdeck_workers_draining"]) == (1, 1)


async def test_what_a_worker_is_short_of_is_told_to_those_with_a_token(api: Api) -> None:
    await hire(api, "aa11", "vm")
    why = "No process or thread for the task can be started now: [Errno 24] Too many open files."
    await api.core.database.transact(lambda tx: store.beat(tx, "aa11", why))
    assert (await looked(api))["parts"]["worker"] == {"status": "short", "live": 1, "short": {"vm": why}}
    assert (await api.get("workers/vm"))["shortage"] == why
    assert figures(await api.ask("GET", "/metrics", 200))["jobdeck_workers_short"] == 1
    stranger = await api.raw("GET", "health", headers={"Authorization": ""})
    assert stranger.json()["parts"]["worker"] == {"status": "short"}
    await api.core.database.transact(lambda tx: store.beat(tx, "aa11", None))
    assert (await looked(api))["parts"]["worker"] == {"status": "ok", "live": 1}


async def test_content_that_cannot_be_deleted_is_told(api: Api) -> None:
    assert "garbage" not in (await looked(api))["parts"]
    await api.core.database.transact(lambda tx: garbage.add(tx, [Doomed("logs/1"), Doomed("logs/2"), Doomed("logs/3")]))
    assert "garbage" not in (await looked(api))["parts"], "it is still to be tried"

    async def tried(tx: Tx) -> None:
        stuck = storage_garbage.c.prefix != "logs/3"
        values = {"tries": 4, "last_error": "The storage refuses: AccessDenied.", "since": tx.now - 7_200_000_000}
        await tx.connection.execute(update(storage_garbage).where(stuck).values(values))

    await api.core.database.transact(tried)
    part = (await looked(api))["parts"]["garbage"]
    assert part == {
        "status": "stuck", "left": 2, "hours": 2.0, "tries": 4, "reason": "The storage refuses: AccessDenied.",
    }  # fmt: skip
    stranger = await api.raw("GET", "health", headers={"Authorization": ""})
    assert stranger.json()["parts"]["garbage"] == {"status": "stuck"}
    assert figures(await api.ask("GET", "/metrics", 200))["jobdeck_storage_garbage"] == 2


async def test_failed_jobs_by_type_with_bounded_labels(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_PROJECTS", 2)
    ids = await api.submit_many(4)

    async def fail(tx: Tx) -> None:
        for job, type_name in zip(ids, ("noop", "noop", "removed-type", "sleep"), strict=True):
            row = {
                "job_id": job, "attempt": 1, "project_id": 1, "type": type_name, "fingerprint": "f", "code": "x",
                "message": "m", "place": "p", "at": tx.now, "left_at": tx.now if type_name == "sleep" else None,
            }  # fmt: skip
            await tx.connection.execute(insert(failures).values(row))

    await api.core.database.transact(fail)
    for project, jobs in (("many", 3), ("few", 1), ("fewer", 1)):
        await api.post("projects", {"name": project}, 201)
        await api.submit_many(jobs, project=project)
    shown = figures(await api.ask("GET", "/metrics", 200))
    failed = {name: value for name, value in shown.items() if name.startswith("jobdeck_jobs_failed{")}
    assert failed['jobdeck_jobs_failed{type="noop"}'] == 2
    assert failed['jobdeck_jobs_failed{type="sleep"}'] == 0, "it has failed, and is not failed any more"
    assert failed['jobdeck_jobs_failed{type="(others)"}'] == 1
    assert set(failed) == {f'jobdeck_jobs_failed{{type="{t.name}"}}' for t in api.core.registry} | {
        'jobdeck_jobs_failed{type="(others)"}'
    }
    waiting = {name: value for name, value in shown.items() if name.startswith("jobdeck_jobs{")}
    assert waiting == {
        'jobdeck_jobs{project="default",state="pending"}': 4,
        'jobdeck_jobs{project="many",state="pending"}': 3,
        'jobdeck_jobs{project="(others)",state="pending"}': 2,
    }


async def test_ended_jobs_of_a_type_that_is_not_installed_count_among_the_others(small: Api) -> None:
    names = {f"gone-{uuid.uuid4().hex[:6]}" for _ in range(3)}
    labels = {small.app.state.services.metrics._label(name) for name in {*names, "noop"}}
    assert labels == {metrics.OTHERS, "noop"}
