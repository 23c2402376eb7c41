"""What was done is found again, not drowned among the events of jobs; for administrators alone."""

from __future__ import annotations

import pytest

from jobdeck.services.admin.history import KINDS
from jobdeck.store.jobs.removal import DELETED
from jobdeck.store.running import workers
from tests.api.harness import Api, is_problem
from tests.docs.sources import event_kinds


async def kinds(api: Api, query: str = "") -> list[str]:
    return [e["kind"] for e in (await api.get(f"events/history?limit=100{query}"))["items"]]


async def test_deeds_are_found_among_many_jobs(api: Api) -> None:
    await api.token("ann", "operator", "default")
    await api.submit_many(300, params={})
    await api.token("bob", "viewer", "default")
    found = (await api.get("events/history"))["items"]
    assert [e["kind"] for e in found if e["kind"] == "token.created"][:2] == ["token.created", "token.created"]
    assert all(e["job"] is None for e in found)
    assert [e["id"] for e in found] == sorted((e["id"] for e in found), reverse=True)


async def test_narrowed_by_kind_actor_and_time(api: Api) -> None:
    await api.token("ann", "operator", "default")
    await api.ask("POST", "projects", 201, json={"name": "other"})
    assert set(await kinds(api, "&kind=token")) == {"token.created"}
    assert set(await kinds(api, "&kind=token.created")) == {"token.created"}
    assert await kinds(api, "&kind=worker") == []
    assert "token.created" in await kinds(api, "&actor=admin")
    assert await kinds(api, "&actor=nobody") == []
    assert "token.created" in await kinds(api, "&since=1h")
    assert await kinds(api, "&until=2020-01-01T00:00:00Z") == []


async def test_pages_hold_all_once(api: Api) -> None:
    for number in range(7):
        await api.token(f"t{number}", "viewer", "default")
    all_of_them = [e["id"] for e in (await api.get("events/history?limit=100"))["items"]]
    assert [e["id"] for e in await api.every("events/history?limit=3")] == all_of_them


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_administrators_look_back(api: Api, role: str) -> None:
    await api.token("someone", role, "default")
    assert is_problem(await api.raw("GET", "events/history", token="someone"), 403)
    assert is_problem(await api.raw("GET", "bulk?everyone=true", token="someone"), 403)


async def test_an_administrator_of_one_project_sees_that_one(api: Api) -> None:
    await api.ask("POST", "projects", 201, json={"name": "other"})
    await api.token("theirs", "admin", "other")
    await api.token("ours", "viewer", "default")
    found = (await api.get("events/history?limit=100", token="theirs"))["items"]
    assert {e["project"] for e in found} <= {"other"}
    assert is_problem(await api.raw("GET", "events/history?project=default", token="theirs"), 404)


async def test_a_key_whose_job_was_deleted_says_so(api: Api) -> None:
    """Not that there is no such job: who repeats a request did not ask for that job by its number."""
    key = {"Idempotency-Key": "k1"}
    body = {"type": "noop", "params": {}}
    made = await api.ask("POST", "projects/default/jobs", 202, json=body, headers=key)
    await api.put_job(made["id"], state="canceled", ended_at=1)
    await api.ask("DELETE", f"jobs/{made['id']}", 204)
    again = await api.raw("POST", "projects/default/jobs", json=body, headers=key)
    problem = is_problem(again, 409, "conflict", "Idempotency-Key")
    assert f"job {made['id']}, deleted since" in problem["detail"]
    assert "new key" in problem["hint"]
    both = {"jobs": [body, body]}
    batch = await api.ask("POST", "projects/default/jobs/batch", 202, json=both, headers={"Idempotency-Key": "k2"})
    first = batch["items"][0]["id"]
    await api.put_job(first, state="canceled", ended_at=1)
    await api.ask("DELETE", f"jobs/{first}", 204)
    again = await api.raw("POST", "projects/default/jobs/batch", json=both, headers={"Idempotency-Key": "k2"})
    assert f"job {first}" in is_problem(again, 409, "conflict")["detail"]
    run = f"jobs/{batch['items'][1]['id']}/run-again"
    copy = await api.ask("POST", run, 202, headers={"Idempotency-Key": "k3"})
    await api.put_job(copy["id"], state="canceled", ended_at=1)
    await api.ask("DELETE", f"jobs/{copy['id']}", 204)
    is_problem(await api.raw("POST", run, headers={"Idempotency-Key": "k3"}), 409, "conflict")


async def test_a_table_that_the_last_of_many_jobs_writes_is_not_dropped(api: Api) -> None:
    """1,200 holdings of others come before the one that matters."""
    ids = await api.submit_many(12, params={})
    for job in ids[:-1]:
        await api.lease(job, *(["project:default/object:lake/a/" + f"t{job}_{n}", 1, "shared"] for n in range(110)))
    await api.lease(ids[-1], ["project:default/object:lake/out/orders", 1, "exclusive"])
    refused = is_problem(await api.raw("DELETE", "projects/default/objects/lake/out/orders"), 409)
    assert f"job {ids[-1]}" in refused["detail"]
    assert refused["holders"] == [ids[-1]]


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("deletd", "Did you mean 'deleted'?"), ("token.creatd", "Did you mean 'token.created'?"),
        ("tokens", "Did you mean 'token'?"), ("token_", "Did you mean 'token'?"), ("zzz", "Write one of bulk,"),
    ],
)  # fmt: skip
async def test_a_kind_that_nothing_is_recorded_as_is_refused(api: Api, kind: str, hint: str) -> None:
    refused = is_problem(await api.raw("GET", f"events/history?kind={kind}"), 422, field="kind")
    assert refused["hint"].startswith(hint)


def test_all_kinds_of_the_history_are_known() -> None:
    """The code that writes events, and the list that questions are checked against."""
    written = {kind for kind in event_kinds() if "." in kind and kind.partition(".")[0] not in ("step", "task")}
    assert {*written, *workers._TOLD.values(), DELETED} == set(KINDS)
