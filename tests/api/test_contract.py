"""The shapes that programs rely on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert

from jobdeck.services.admin import health
from jobdeck.store.schema import attempts, leadership, lineage, steps, tasks
from jobdeck.store.sql.database import Tx
from jobdeck.wire.admin import NewToken, TypeInfo, Worker
from jobdeck.wire.base import Response
from jobdeck.wire.jobs import Job
from tests.api.harness import Api, is_problem

JOB_FIELDS = {
    *("id", "run_id", "project", "type", "category", "state", "description", "subject", "params", "priority", "tags"),
    *("parent", "configuration", "attempt", "progress", "wait", "error", "warnings", "cause", "created_by"),
    *("created_at", "started_at", "ended_at", "queued_seconds", "running_seconds", "paused_seconds", "credits"),
    *("inputs", "outputs", "result", "worker", "actions", "reason", "copied_from", "omitted"),
}


async def test_a_submitted_job_has_every_field(api: Api) -> None:
    body = {
        "type": "sleep",
        "params": {"seconds": 2, "steps": 3},
        "priority": 7,
        "tags": ["ä/b", "x"],
        "description": "Nap",
    }
    response = await api.raw("POST", "projects/default/jobs", json=body)
    assert response.status_code == 202
    job = response.json()
    assert job.keys() >= JOB_FIELDS
    assert response.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert isinstance(job["id"], int)
    assert job["run_id"] == str(job["id"])
    assert (job["project"], job["type"], job["state"], job["priority"]) == ("default", "sleep", "pending", 7)
    assert (job["params"], job["tags"], job["description"]) == ({"seconds": 2, "steps": 3}, ["ä/b", "x"], "Nap")
    assert job["created_by"] == "admin"
    assert job["progress"] == {"fraction": 0.0, "done": 0, "total": None, "unit": "", "rate": None, "eta": None}
    for absent in (
        "subject",
        "parent",
        "configuration",
        "error",
        "cause",
        "started_at",
        "ended_at",
        "result",
        "worker",
    ):
        assert job[absent] is None
    assert datetime.fromisoformat(job["created_at"]).utcoffset() is not None
    assert job["created_at"].endswith("Z")
    shown = await api.get(f"jobs/{job['id']}")
    assert shown.keys() == job.keys()
    listed = (await api.get("jobs"))["items"]
    assert [j["id"] for j in listed] == [job["id"]]
    assert listed[0].keys() == job.keys()


async def test_a_pending_job_says_why_it_waits(api: Api) -> None:
    job = await api.submit()
    assert job["wait"]
    for reason in job["wait"]:
        assert reason.keys() >= {"reason", "text", "resource", "capacity", "holders", "until"}
    assert job["wait"][0]["reason"] == "no_worker"


async def test_a_claim_names_its_holders(api: Api) -> None:
    holder = await api.submit("sleep", {"write": "lake/a/b"})
    waiter = await api.submit("sleep", {"write": "lake/a/b"})
    await api.lease(holder["id"], ["project:default/object:lake/a/b", 1, "x"])
    reasons = (await api.get(f"jobs/{waiter['id']}"))["wait"]
    assert [(r["reason"], r["resource"], r["holders"]) for r in reasons] == [
        ("claim", "object:lake/a/b", [holder["id"]])
    ]


async def test_the_claims_of_a_job_and_who_is_in_its_way(api: Api) -> None:
    holder, wanting = [await api.submit("sleep", {"seconds": 1, "write": "lake/a/b"}) for _ in range(2)]
    held = ["project:default/object:lake/a/b", 1, "x"]
    await api.lease(holder["id"], held)
    first, *others = (await api.get(f"jobs/{wanting['id']}/claims"))["items"]
    assert first == {
        "resource": "object:lake/a/b", "units": 1, "mode": "exclusive", "free": False, "held": False, "own": True,
        "capacity": None, "used": 1, "holders": [holder["id"]],
    }  # fmt: skip
    assert {claim["resource"] for claim in others} == {"instance", "project:default", "type:sleep"}
    assert all(claim["free"] and not claim["held"] for claim in others)
    of_holder = {claim["resource"]: claim for claim in (await api.get(f"jobs/{holder['id']}/claims"))["items"]}
    assert (of_holder["object:lake/a/b"]["held"], of_holder["object:lake/a/b"]["holders"]) == (True, [])
    is_problem(await api.raw("GET", "jobs/999/claims"), 404, field="id")


async def test_actions_follow_the_table(api: Api) -> None:
    job = await api.submit()
    actions = job["actions"]
    assert set(actions) == {"cancel", "pause", "resume", "restart", "delete"}
    assert {name for name, action in actions.items() if action["allowed"]} == {"cancel", "pause"}
    assert all(action["why"] for action in actions.values() if not action["allowed"])
    done = await api.post(f"jobs/{job['id']}/cancel", {"reason": "not needed"}, 202)
    assert (done["state"], done["cause"], done["reason"]) == ("canceled", "user", "not needed")
    assert {name for name, action in done["actions"].items() if action["allowed"]} == {"delete"}


async def test_operations_and_their_refusal(api: Api) -> None:
    job = await api.submit()
    path = f"jobs/{job['id']}"
    assert (await api.post(f"{path}/pause", status=202))["state"] == "paused"
    assert (await api.post(f"{path}/pause", {}, 202))["state"] == "paused"
    assert (await api.post(f"{path}/resume", status=202))["state"] == "pending"
    refused = await api.post(f"{path}/restart", status=409)
    assert refused["code"] == "operation_refused"
    assert (refused["state"], refused["operation"], refused["allowed"]) == ("pending", "restart", ["cancel", "pause"])
    assert (await api.ask("DELETE", path, 409))["operation"] == "delete"
    assert (await api.ask("PATCH", path, 200, json={"priority": 9}))["priority"] == 9
    await api.post(f"{path}/cancel", status=202)
    await api.ask("DELETE", path, 204)
    await api.get(path, 404)


async def test_children_know_their_parent(api: Api) -> None:
    parent = await api.submit()
    child = await api.submit(parent=parent["id"])
    assert child["parent"] == parent["id"]
    assert child["run_id"] == f"{parent['id']}.{child['id']}"
    below = await api.get(f"jobs?parent={parent['id']}")
    assert [j["id"] for j in below["items"]] == [child["id"]]
    run = await api.get(f"jobs?run_id={parent['run_id']}&sort=created_at")
    assert [j["id"] for j in run["items"]] == [parent["id"], child["id"]]
    assert [j["id"] for j in (await api.get("jobs?top_level=true"))["items"]] == [parent["id"]]


async def test_times_in_the_present_state_count(api: Api) -> None:
    job = await api.submit()
    earlier = await api.core.database.now() - 90_000_000
    await api.put_job(job["id"], state_since=earlier, queued_us=10_000_000)
    assert 100 <= (await api.get(f"jobs/{job['id']}"))["queued_seconds"] < 110
    await api.lease(job["id"])
    await api.put_job(job["id"], state_since=earlier, fraction=0.5, done=50, total=100, unit="rows")
    running = await api.get(f"jobs/{job['id']}")
    assert 90 <= running["running_seconds"] < 100
    assert 10 <= running["queued_seconds"] < 11
    assert running["progress"]["rate"] > 0.4
    assert running["progress"]["eta"] is not None


async def _record(api: Api, job_id: int) -> None:
    async def work(tx: Tx) -> None:
        key = {"job_id": job_id, "attempt": 1}
        run = tx.connection.execute
        await run(insert(attempts).values(**key, state="running", started_at=tx.now, worker="w1"))
        await run(insert(steps).values(**key, index=0, name="load", state="running", weight=1.0, started_at=tx.now))
        for i, state in enumerate(("succeeded", "running", "pending")):
            values = {
                "step_index": 0,
                "index": i,
                "key": f"part-{i}",
                "state": state,
                "done": 10 if i == 0 else 0,
                "total": 10,
            }
            await run(insert(tasks).values(**key, **values, unit="rows", rows=10, bytes=99, host="h:1", attempts=1))
        for direction, name, rows in (("input", "file:7", 3), ("input", "file:7", 4), ("output", "lake/a/b", 7)):
            touched = {"direction": direction, "object": name, "rows": rows, "bytes": 2**40, "at": tx.now}
            await run(insert(lineage).values(**key, **touched))

    await api.core.database.transact(work)


async def test_steps_tasks_attempts_and_lineage(api: Api) -> None:
    job, reader = await api.submit(), await api.submit()
    await _record(api, job["id"])
    step: dict[str, Any] = (await api.get(f"jobs/{job['id']}/steps"))["items"][0]
    assert step.keys() >= {"index", "name", "state", "attempt", "started_at", "ended_at", "progress", "error", "tasks"}
    assert step["progress"]["fraction"] == 10 / 30
    assert (step["progress"]["done"], step["progress"]["total"], step["progress"]["unit"]) == (10, 30, "rows")
    expected = {"index", "key", "state", "host", "attempts", "started_at", "ended_at", "rows", "bytes", "error"}
    assert all(task.keys() >= expected for task in step["tasks"])
    assert [task["state"] for task in step["tasks"]] == ["succeeded", "running", "pending"]
    assert (await api.get(f"jobs/{job['id']}/steps?attempt=2"))["items"] == []
    assert [a["attempt"] for a in (await api.get(f"jobs/{job['id']}/attempts"))["items"]] == [1]

    async def reads(tx: Tx) -> None:
        touched = {"attempt": 1, "direction": "input", "object": "lake/a/b", "at": tx.now}
        await tx.connection.execute(insert(lineage).values(job_id=reader["id"], **touched))

    await api.core.database.transact(reads)
    shown = await api.get(f"jobs/{job['id']}/lineage")
    assert shown["inputs"] == [{"object": "file:7", "name": None, "version": None, "rows": 7, "bytes": 2**41}]
    assert (shown["upstream"], shown["downstream"]) == ([], [reader["id"]])
    whole = await api.get(f"jobs/{job['id']}")
    assert (whole["inputs"], whole["outputs"][0]["object"]) == (shown["inputs"], "lake/a/b")


async def test_events_of_a_job_are_paged(api: Api) -> None:
    job = await api.submit()
    for operation in ("pause", "resume", "cancel"):
        await api.post(f"jobs/{job['id']}/{operation}", status=202)
    kinds, after = [], "0"
    while after is not None:
        page = await api.get(f"jobs/{job['id']}/events?limit=1&after={after}")
        assert len(page["items"]) == 1
        kinds += [event["kind"] for event in page["items"]]
        after = page["next"]
    assert kinds == ["submitted", "paused", "resumed", "canceled"]
    everything = (await api.get(f"jobs/{job['id']}/events"))["items"]
    assert all(e["job"] == job["id"] and e["project"] == "default" and e["actor"] == "admin" for e in everything)


async def test_an_error_is_shown_and_its_traceback_only_to_those_who_may(api: Api) -> None:
    await api.token("eyes", "viewer")
    job = await api.submit()
    failure = {"error_code": "boom", "error_message": "It broke", "error_hint": "Mend it", "error_traceback": "line 1"}
    await api.put_job(job["id"], state="failed", error_fingerprint="abc123abc123", **failure)
    shown = (await api.get(f"jobs/{job['id']}"))["error"]
    assert shown == {
        "code": "boom",
        "message": "It broke",
        "hint": "Mend it",
        "fingerprint": "abc123abc123",
        "traceback": "line 1",
    }
    assert (await api.get(f"jobs/{job['id']}", token="eyes"))["error"]["traceback"] is None
    listed = (await api.get("jobs?error=abc123abc123"))["items"]
    assert listed[0]["error"]["traceback"] is None


async def test_health_needs_no_token(api: Api) -> None:
    found = await api.get("health")
    told = {"status": "degraded", "parts": {name: {"status": part["status"]} for name, part in found["parts"].items()}}
    assert await api.get("health", token="none") == told, "strangers are told no more"
    assert found["version"] == "9.9.9"
    assert found["status"] == "degraded"
    assert found["parts"]["database"]["status"] == "ok"


async def test_metrics(api: Api) -> None:
    before = await api.get("/metrics")
    assert 'jobdeck_jobs_ended_total{state="failed",type="sleep"} 0.0' in before, "or the first failure is no increase"
    job = await api.submit()
    await api.submit()
    await api.post(f"jobs/{job['id']}/cancel", status=202)
    text = await api.get("/metrics")
    assert 'jobdeck_jobs{project="default",state="pending"} 1.0' in text
    assert 'jobdeck_jobs_ended_total{state="canceled",type="sleep"} 1.0' in text
    assert 'jobdeck_job_running_seconds_count{type="sleep"} 1.0' in text
    assert 'jobdeck_http_requests_total{method="POST",route="/api/v1/projects/{project}/jobs",status="202"} 2.0' in text
    assert "jobdeck_oldest_pending_seconds" in text
    await api.get("/metrics", 401, token="none")


async def test_a_server_whose_worker_is_elsewhere_is_well(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REMEMBERED", -1.0)
    before = (await api.get("health"))["parts"]
    assert (before["scheduler"]["status"], before["worker"]) == ("missing", {"status": "missing", "live": 0})
    await api.lease((await api.submit())["id"])  # by a worker that is no part of this process

    async def lead(tx: Tx) -> None:
        row = {"name": "scheduler", "holder": "elsewhere", "epoch": 1, "expires_at": tx.now + 60_000_000}
        await tx.connection.execute(insert(leadership).values(row))

    await api.core.database.transact(lead)
    found = await api.get("health")
    assert (found["status"], found["parts"]["worker"]) == ("ok", {"status": "ok", "live": 1})


async def test_what_is_answered_is_declared(api: Api) -> None:
    job = await api.submit()
    await api.lease(job["id"])
    token = await api.post("tokens", {"name": "ci", "role": "viewer"}, 201)
    answers: list[tuple[type[Response], Any]] = [
        (Job, await api.get(f"jobs/{job['id']}")),
        (Job, (await api.get("jobs"))["items"][0]),
        (Worker, (await api.get("workers"))["items"][0]),
        (TypeInfo, await api.get("types/sleep")),
        (NewToken, token),
    ]
    for model, answer in answers:
        assert not answer.keys() - model.model_fields.keys()


async def test_a_locked_database_is_not_well(small: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be read, and takes nothing in."""
    for name, value in (("REMEMBERED", -1.0), ("SURE", -1.0), ("PATIENCE", 0.5)):
        monkeypatch.setattr(health, name, value)
    assert (await small.get("health"))["parts"]["database"]["status"] == "ok"
    with closing(sqlite3.connect(str(small.core.database.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = await small.get("health", 503)
        assert (found["status"], found["parts"]["database"]["status"]) == ("unavailable", "takes_no_writes")
        other.execute("ROLLBACK")
    monkeypatch.setattr(health, "PATIENCE", 20.0)
    assert (await small.get("health"))["parts"]["database"]["status"] == "ok"
