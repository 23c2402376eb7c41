"""The timeline of a job and its tasks page by page, also of a step with ten thousand of them; how jobs differ."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert

from jobdeck.store.schema import event_retention, events, steps, tasks
from jobdeck.store.sql.database import Tx
from tests.api.harness import Api, is_problem

SECOND = 1_000_000
T0 = 1_700_000_000 * SECOND


async def put(api: Api, table: Any, rows: list[dict[str, Any]]) -> None:
    async def work(tx: Tx) -> None:
        await tx.connection.execute(insert(table), rows)

    await api.core.database.transact(work)


async def job_with_past(api: Api, *past: tuple[float, str, str, str, dict[str, Any]]) -> int:
    """A job created at T0 whose events, given as (seconds, kind, from, state, more), are these."""
    job: int = (await api.submit("sleep"))["id"]
    await api.put_job(job, created_at=T0)

    async def forget(tx: Tx) -> None:
        await tx.connection.execute(insert(event_retention).values(id=1, before=2**62))
        await tx.connection.execute(delete(events).where(events.c.job_id == job))
        await tx.connection.execute(delete(event_retention))

    await api.core.database.transact(forget)
    rows = []
    for at, kind, before, state, more in past:
        quoted = "".join(f', "{k}": {v}' for k, v in more.items())
        data = f'{{"state": "{state}", "from": "{before}"{quoted}}}'
        rows.append({"at": T0 + int(at * SECOND), "kind": kind, "project_id": 1, "job_id": job, "data": data})
    await put(api, events, rows)
    return job


def step(
    job: int, index: int, start: float, end: float | None, state: str = "succeeded", attempt: int = 1
) -> dict[str, Any]:
    return {
        "job_id": job, "attempt": attempt, "index": index, "name": f"s{index}", "state": state, "weight": 1.0,
        "started_at": T0 + int(start * SECOND), "ended_at": None if end is None else T0 + int(end * SECOND),
    }  # fmt: skip


def task(
    job: int, step_index: int, index: int, start: float | None, end: float | None, state: str = "succeeded"
) -> dict[str, Any]:
    return {
        "job_id": job, "attempt": 1, "step_index": step_index, "index": index, "key": f"k{index}", "state": state,
        "host": "h:1", "attempts": 1, "started_at": None if start is None else T0 + int(start * SECOND),
        "ended_at": None if end is None else T0 + int(end * SECOND),
        "error_code": "bad_row" if state == "failed" else None, "error_message": "m" if state == "failed" else None,
        "error_hint": None,
    }  # fmt: skip


@pytest.fixture
async def job(api: Api) -> int:
    """Ran from 10 s on, was paused from 20 s to 30 s, has failed at 50 s; two steps."""
    made = await job_with_past(
        api,
        (0, "submitted", "pending", "pending", {}),
        (10, "started", "pending", "running", {"attempt": 1}),
        (20, "paused", "running", "paused", {}),
        (30, "resumed", "paused", "pending", {}),
        (30, "started", "pending", "running", {"attempt": 1}),
        (50, "failed", "running", "failed", {}),
    )
    await api.put_job(made, state="failed", ended_at=T0 + 50 * SECOND, started_at=T0 + 10 * SECOND)
    await put(api, steps, [step(made, 0, 10, 12), step(made, 1, 12, 50, "failed")])
    rows = [task(made, 0, 0, 10, 12), *(task(made, 1, i, 12 + i, 18 + i) for i in range(3))]
    rows += [task(made, 1, 3, 31, 50, "failed"), task(made, 1, 4, None, None, "pending")]
    await put(api, tasks, rows)
    return made


def seconds(bar: dict[str, Any]) -> tuple[Any, Any]:
    def of(text: str | None) -> float | None:
        return None if text is None else datetime.fromisoformat(text).timestamp() - T0 / SECOND

    return of(bar["from"]), of(bar["to"])


async def test_spans_of_job_steps_and_tasks(api: Api, job: int) -> None:
    found = await api.get(f"jobs/{job}/timeline")
    assert (found["job"], found["state"], found["attempt"], seconds(found)) == (job, "failed", 1, (0, 50))
    assert [(s["kind"], *seconds(s), s["because"]) for s in found["spans"]] == [
        ("waiting", 0, 10, "submitted"), ("running", 10, 20, "started"), ("paused", 20, 30, "paused"),
        ("running", 30, 50, "started"), ("failed", 50, None, "failed"),
    ]  # fmt: skip
    first, second = found["steps"]
    assert (found["step_count"], first["name"], first["state"], seconds(second)) == (2, "s0", "succeeded", (12, 50))
    assert [(s["kind"], *seconds(s)) for s in second["spans"]] == [
        ("running", 12, 20), ("paused", 20, 30), ("running", 30, 50),
    ]  # fmt: skip
    shown = second["tasks"]
    assert (shown["count"], shown["counts"], shown["lanes"]) == (5, {"succeeded": 3, "failed": 1, "pending": 1}, 3)
    assert [(t["index"], t["lane"], *seconds(t)) for t in shown["items"]] == [
        (0, 0, 12, 18), (1, 1, 13, 19), (2, 2, 14, 20), (3, 0, 31, 50),
    ]  # fmt: skip
    assert [(t["index"], t["seconds"]) for t in shown["slowest"]][:2] == [(3, 19.0), (0, 6.0)]
    assert [(t["index"], t["error_code"]) for t in shown["failed"]] == [(3, "bad_row")]
    assert shown["density"] is None
    other = await api.get(f"jobs/{job}/timeline?attempt=2")
    assert (other["attempt"], other["steps"], len(other["spans"])) == (2, [], 5)
    is_problem(await api.raw("GET", "jobs/99/timeline"), 404)


async def test_a_job_that_waits_and_one_whose_events_are_gone(api: Api) -> None:
    fresh = (await api.submit("noop", {}))["id"]
    found = await api.get(f"jobs/{fresh}/timeline")
    assert [(s["kind"], s["to"]) for s in found["spans"]] == [("waiting", None)]
    assert (found["to"], found["steps"]) == (None, [])
    old = await job_with_past(api, (40, "succeeded", "running", "succeeded", {}))
    await api.put_job(old, state="succeeded", ended_at=T0 + 40 * SECOND)
    found = await api.get(f"jobs/{old}/timeline")
    assert [(s["kind"], *seconds(s)) for s in found["spans"]] == [("running", 0, 40)]


async def test_ten_thousand_tasks_stay_readable(api: Api) -> None:
    made = await job_with_past(
        api, (0, "submitted", "pending", "pending", {}), (0, "started", "pending", "running", {"attempt": 1})
    )
    await api.put_job(made, state="succeeded", ended_at=T0 + 1000 * SECOND)
    await put(api, steps, [step(made, 0, 0, 1000)])
    rows = [task(made, 0, i, i * 0.1, i * 0.1 + 10, "failed" if i == 5000 else "succeeded") for i in range(9_999)]
    rows.append(task(made, 0, 9_999, 100, 600))
    for start in range(0, 10_000, 2000):
        await put(api, tasks, rows[start : start + 2000])
    began = time.process_time()
    response = await api.raw("GET", f"jobs/{made}/timeline")
    assert time.process_time() - began < 2
    assert len(response.content) < 20_000
    (shown,) = (s["tasks"] for s in response.json()["steps"])
    assert (shown["count"], shown["items"]) == (10_000, [])
    density = shown["density"]
    assert {len(density[name]) for name in ("running", "ended", "failed")} == {120}
    assert (sum(density["ended"]), sum(density["failed"])) == (10_000, 1)
    assert 150 < density["running"][60] < 250  # a hundred at a time, and those that began within the part
    assert shown["slowest"][0]["index"] == 9_999
    assert [t["index"] for t in shown["failed"]] == [5000]

    (one,) = (await api.get(f"jobs/{made}/steps"))["items"]
    assert (one["task_count"], len(one["tasks"])) == (10_000, 1000)
    assert [len(s["tasks"]) for s in (await api.get(f"jobs/{made}/steps?tasks=3"))["items"]] == [3]
    assert [len(s["tasks"]) for s in (await api.get(f"jobs/{made}/steps?tasks=0"))["items"]] == [0]
    is_problem(await api.raw("GET", f"jobs/{made}/steps?tasks=1001"), 422)


async def test_many_steps_come_page_by_page_and_show_fewer_tasks_each(api: Api) -> None:
    made = await job_with_past(api, (0, "submitted", "pending", "pending", {}))
    await put(api, steps, [step(made, i, i, i + 1) for i in range(24)])
    for index in range(24):
        await put(api, tasks, [task(made, index, i, index, index + 1) for i in range(600)])
    page = await api.get(f"jobs/{made}/steps?limit=10")
    rest = await api.get(f"jobs/{made}/steps?limit=10&cursor={page['next']}")
    assert [s["index"] for s in (*page["items"], *rest["items"])] == list(range(20))
    assert {len(s["tasks"]) for s in page["items"]} == {600}
    all_of_them = (await api.get(f"jobs/{made}/steps"))["items"]
    assert {(len(s["tasks"]), s["task_count"]) for s in all_of_them} == {(416, 600)}
    is_problem(await api.raw("GET", f"jobs/{made}/steps?cursor=zz"), 422, field="cursor")


async def test_tasks_page_by_page(api: Api, job: int) -> None:
    async def indexes(query: str = "") -> list[int]:
        return [t["index"] for t in await api.every(f"jobs/{job}/steps/1/tasks?limit=2{query}")]

    assert await indexes() == [0, 1, 2, 3, 4]
    assert await indexes("&state=failed&state=pending") == [3, 4]
    assert await indexes("&sort=-duration") == [3, 2, 1, 0]
    assert await indexes("&sort=-duration&state=succeeded") == [2, 1, 0]
    (failed,) = (await api.get(f"jobs/{job}/steps/1/tasks?state=failed"))["items"]
    assert (failed["key"], failed["error"]["code"], failed["host"]) == ("k3", "bad_row", "h:1")
    for path in (f"jobs/{job}/steps/2/tasks", f"jobs/{job}/steps/1/tasks?attempt=2", f"jobs/{job}/steps/{2**62}/tasks"):
        is_problem(await api.raw("GET", path), 404)
    cursor = (await api.get(f"jobs/{job}/steps/1/tasks?limit=2"))["next"]
    for path in (
        f"jobs/{job}/steps/0/tasks?cursor={cursor}",
        f"jobs/{job}/steps/1/tasks?sort=-duration&cursor={cursor}",
    ):
        is_problem(await api.raw("GET", path), 422, field="cursor")
    is_problem(await api.raw("GET", f"jobs/{job}/steps/1/tasks?state=nice"), 422)


async def test_differences_between_jobs(api: Api) -> None:
    old = await api.submit("sleep", {"seconds": 1, "steps": 2, "write": "lake/a/b"})
    new = await api.post(f"jobs/{old['id']}/run-again", {"params": {"seconds": 1.0, "steps": 3, "tasks": 2}}, 202)
    found = await api.get(f"jobs/{new['id']}/diff")
    assert (found["job"], found["other"], found["same"]) == (new["id"], old["id"], False)
    assert [(c["path"], c["kind"], c["old"], c["new"]) for c in found["changes"]] == [
        ("steps", "changed", 2, 3), ("tasks", "added", None, 2),
    ]  # fmt: skip
    back = await api.get(f"jobs/{old['id']}/diff?with={new['id']}")
    assert [(c["path"], c["kind"]) for c in back["changes"]] == [("steps", "changed"), ("tasks", "removed")]
    assert (await api.get(f"jobs/{old['id']}/diff?with={old['id']}"))["same"] is True
    is_problem(await api.raw("GET", f"jobs/{old['id']}/diff"), 404, field="with")
    is_problem(await api.raw("GET", f"jobs/{old['id']}/diff?with=999"), 404, field="with")


async def test_a_failed_task_has_its_own_traceback_for_those_who_may_see_it(api: Api, job: int) -> None:
    await put(api, steps, [step(job, 7, 10, 12, "failed")])
    failed = [{**task(job, 7, i, 10, 11 + i, "failed"), "error_traceback": f"trace {i}"} for i in range(2)]
    await put(api, tasks, [*failed, {**task(job, 7, 2, 10, 11), "error_traceback": None}])
    path = f"jobs/{job}/steps/7/tasks"
    for query, told in (("", ["trace 0", "trace 1"]), ("&sort=-duration", ["trace 1", "trace 0"])):
        found = (await api.get(f"{path}?state=failed{query}"))["items"]
        assert [t["error"]["traceback"] for t in found] == told
    await api.token("eyes", "viewer")
    seen = (await api.get(path, token="eyes"))["items"]
    assert [t["error"] and t["error"]["traceback"] for t in seen] == [None, None, None]
    (whole,) = [s for s in (await api.get(f"jobs/{job}/steps"))["items"] if s["index"] == 7]
    assert [t["error"] and t["error"]["traceback"] for t in whole["tasks"]] == [None, None, None]
