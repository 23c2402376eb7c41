"""Operations on selections: what was looked at is done, nothing else, and every job is accounted for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobdeck.engine.bulk_runner import BATCH, BulkRunner
from jobdeck.engine.duties.prune import DAY, Prune, Retention
from jobdeck.engine.loops import Loops
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.services.jobs.bulk_permission import permission_lost
from jobdeck.store.bulks.records import PRUNED_AT_ONCE
from jobdeck.store.schema import bulk_items, bulks, events, jobs
from tests.api.harness import Api, is_problem

FOREVER = asyncio.Event()
"""A stop that does not come."""


@pytest.fixture
async def runner(api: Api) -> AsyncIterator[BulkRunner]:
    """The part of a server that carries operations out, when the test says so."""
    leadership = Leadership(api.core.database, "me")
    leading = Loops([leadership])
    await leading.start()
    async with asyncio.timeout(20):
        await leadership.changed.wait()
    yield BulkRunner(api.core.database, leadership, api.core.control, permission_lost)
    await leading.stop()


async def plan(api: Api, operation: str = "cancel", token: str | None = None, **more: Any) -> Any:
    select = {"ids": more.pop("ids")} if "ids" in more else {"filter": more.pop("filter", {})}
    return await api.post("bulk", {"operation": operation, "select": select, **more}, 201, token=token)


async def start(api: Api, planned: Any, token: str | None = None) -> Any:
    return await api.post(f"bulk/{planned['id']}/run", {"token": planned["token"]}, 202, token=token)


async def carried_out(api: Api, runner: BulkRunner, planned: Any) -> Any:
    """Run it to its end; how it then is."""
    await start(api, planned)
    while await runner.turn(FOREVER):
        pass
    ended = await api.get(f"bulk/{planned['id']}")
    assert ended["state"] == "finished"
    assert ended["done"] + ended["skipped"] + ended["failed"] + ended["left"] == ended["total"]
    return ended


async def outcomes(api: Api, bulk: Any) -> dict[int, str]:
    """What became of each job, by page after page."""
    return {item["job"]: item["outcome"] for item in await api.every(f"bulk/{bulk['id']}/items?limit=3")}


async def states(api: Api, ids: list[int]) -> list[str]:
    return [(await api.get(f"jobs/{i}"))["state"] for i in ids]


async def told(api: Api, kind: str) -> list[Any]:
    async with api.core.database.read() as connection:
        query = select(events).where(events.c.kind == kind).order_by(events.c.id)
        return list((await connection.execute(query)).mappings())


async def test_the_preview_counts_and_says_why(api: Api) -> None:
    open_jobs = await api.submit_many(7)
    succeeded, canceled = await api.submit_many(6), await api.submit_many(1)
    for job in succeeded:
        await api.put_job(job, state="succeeded")
    await api.post(f"jobs/{canceled[0]}/cancel", {}, 202)
    planned = await plan(api, filter={"type": "noop", "project": ["default"]}, reason="spring")
    assert (planned["state"], planned["total"], planned["allowed"]) == ("planned", 14, 7)
    assert planned["refused"] == [
        {"reason": "state", "text": "it has succeeded", "count": 6, "examples": succeeded[:5]},
        {"reason": "already", "text": "it is canceled already", "count": 1, "examples": canceled},
    ]
    assert planned["selection"] == {"filter": {"type": ["noop"], "project": ["default"]}}
    assert (planned["left"], planned["reason"], planned["created_by"]) == (14, "spring", "admin")
    assert await states(api, open_jobs) == ["pending"] * 7
    assert set((await outcomes(api, planned)).values()) == {"waiting"}
    assert "token" not in await api.get(f"bulk/{planned['id']}")


async def test_exactly_the_previewed_jobs_are_touched(api: Api, runner: BulkRunner) -> None:
    before = await api.submit_many(5)
    planned = await plan(api, filter={"state": ["pending"]}, reason="tidy")
    later = await api.submit_many(2)
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], ended["skipped"], ended["left"]) == (5, 0, 0)
    assert await states(api, before + later) == ["canceled"] * 5 + ["pending"] * 2
    assert await outcomes(api, ended) == dict.fromkeys(before, "done")
    (one,) = (e for e in (await api.get(f"jobs/{before[0]}/events"))["items"] if e["kind"].endswith("canceled"))
    assert (one["actor"], one["data"]["bulk"], one["data"]["reason"]) == ("admin", planned["id"], "tidy")


async def test_every_job_is_looked_at_again(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(4)
    planned = await plan(api, "pause", filter={"type": ["noop"]})
    assert planned["allowed"] == 4
    await api.put_job(ids[0], state="succeeded")
    await api.post(f"jobs/{ids[1]}/pause", {}, 202)
    await api.post(f"jobs/{ids[2]}/cancel", {}, 202)
    await api.ask("DELETE", f"jobs/{ids[2]}", 204)
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], ended["skipped"]) == (1, 3)
    assert {(g["reason"], g["text"], *g["examples"]) for g in ended["account"]} == {
        ("state", "it has succeeded", ids[0]),
        ("already", "it is paused already", ids[1]),
        ("not_found", "there is no such job", ids[2]),
    }
    skipped = (await api.get(f"bulk/{planned['id']}/items?outcome=skipped"))["items"]
    assert [(i["job"], i["reason"]) for i in skipped] == list(zip(ids, ("state", "already", "not_found"), strict=False))


async def test_running_again_answers_the_same_and_does_nothing(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(2)
    planned = await plan(api, "pause", ids=ids)
    first = await start(api, planned)
    assert first["state"] == "running"
    assert await start(api, planned) == first
    ended = await carried_out(api, runner, planned)
    await api.post(f"jobs/{ids[0]}/resume", {}, 202)
    assert await start(api, planned) == ended
    assert not await runner.turn(FOREVER)
    assert await states(api, ids) == ["pending", "paused"]
    kinds = [len(await told(api, kind)) for kind in ("bulk.made", "bulk.started", "bulk.ended")]
    assert kinds == [1, 1, 1]
    (event,) = await told(api, "bulk.ended")
    assert (event["actor"], event["job_id"]) == ("admin", None)
    assert '"done":2' in event["data"].replace(" ", "")


async def test_a_plan_belongs_to_who_made_it(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(2)
    for name in ("ann", "bob"):
        await api.token(name, "operator")
    await api.token("chief", "admin")
    planned = await plan(api, ids=ids, token="ann")
    run, body = f"bulk/{planned['id']}/run", {"token": planned["token"]}
    is_problem(await api.raw("POST", run, json=body, token="bob"), 404, "not_found")
    is_problem(await api.raw("GET", f"bulk/{planned['id']}", token="bob"), 404, "not_found")
    is_problem(await api.raw("POST", f"bulk/{planned['id']}/stop", token="bob"), 404, "not_found")
    is_problem(await api.raw("POST", run, json=body, token="chief"), 409, "conflict")
    is_problem(await api.raw("POST", run, json={"token": "x" * 43}, token="ann"), 422, "invalid_input", "token")
    assert (await api.get("bulk", token="bob"))["items"] == []
    assert [b["id"] for b in (await api.get("bulk", token="ann"))["items"]] == [planned["id"]]
    assert (await api.get(f"bulk/{planned['id']}", token="chief"))["created_by"] == "ann"
    assert not await runner.turn(FOREVER)
    assert await states(api, ids) == ["pending"] * 2


async def test_a_plan_expires(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(2)
    planned = await plan(api, ids=ids)
    past = update(bulks).values(expires_at=bulks.c.expires_at - 15 * 60 * 1_000_000)
    await api.core.database.transact(lambda tx: tx.connection.execute(past))
    response = await api.raw("POST", f"bulk/{planned['id']}/run", json={"token": planned["token"]})
    is_problem(response, 409, "plan_expired")
    assert (await api.get(f"bulk/{planned['id']}"))["state"] == "expired"
    assert set((await outcomes(api, planned)).values()) == {"untouched"}
    assert not await runner.turn(FOREVER)
    assert await states(api, ids) == ["pending"] * 2


async def test_a_bound_caller_reaches_its_project_only(api: Api, runner: BulkRunner) -> None:
    await api.post("projects", {"name": "other"}, 201)
    await api.token("bound", "operator", "other")
    foreign, own = await api.submit_many(3), await api.submit_many(2, project="other")
    planned = await plan(api, ids=[*foreign, *own, 999_999, own[0]], token="bound")
    assert (planned["total"], planned["allowed"], planned["skipped"], planned["project"]) == (6, 2, 4, "other")
    assert planned["refused"] == [
        {"reason": "not_found", "text": "there is no such job", "count": 4, "examples": [*foreign, 999_999]}
    ]
    await start(api, planned, "bound")
    all_of_it = await plan(api, "pause", filter={}, token="bound")
    assert all_of_it["total"] == 2
    while await runner.turn(FOREVER):
        pass
    ended = await api.get(f"bulk/{planned['id']}", token="bound")
    assert (ended["done"], ended["skipped"], ended["left"]) == (2, 4, 0)
    assert await states(api, [*foreign, *own]) == ["pending"] * 3 + ["canceled"] * 2
    body = {"operation": "cancel", "select": {"filter": {"project": ["default"]}}}
    is_problem(await api.raw("POST", "bulk", json=body, token="bound"), 404, field="project")
    mine = await plan(api, ids=own)
    is_problem(await api.raw("GET", f"bulk/{mine['id']}", token="bound"), 404, "not_found")


async def test_stopped_in_the_middle(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(7)
    planned = await plan(api, ids=ids)
    await start(api, planned)
    await runner.advance(planned["id"], 3)
    stopped = await api.post(f"bulk/{planned['id']}/stop", status=202)
    assert (stopped["state"], stopped["done"], stopped["left"]) == ("stopped", 3, 4)
    await runner.advance(planned["id"], 3)
    assert not await runner.turn(FOREVER)
    assert await states(api, ids) == ["canceled"] * 3 + ["pending"] * 4
    assert list((await outcomes(api, planned)).values()) == ["done"] * 3 + ["untouched"] * 4
    assert await api.post(f"bulk/{planned['id']}/stop", status=202) == stopped
    assert await start(api, planned) == stopped
    (event,) = await told(api, "bulk.ended")
    assert '"state":"stopped"' in event["data"].replace(" ", "")


async def test_a_discarded_plan_cannot_be_run(api: Api) -> None:
    planned = await plan(api, ids=await api.submit_many(1))
    assert (await api.post(f"bulk/{planned['id']}/stop", status=202))["state"] == "stopped"
    response = await api.raw("POST", f"bulk/{planned['id']}/run", json={"token": planned["token"]})
    is_problem(response, 409, "conflict")


async def test_a_token_that_is_lost_meanwhile_does_no_more(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(5)
    made = await api.post("tokens", {"name": "ann", "role": "operator", "project": None}, 201)
    api.tokens["ann"] = made["token"]
    planned = await plan(api, ids=ids, token="ann")
    await start(api, planned, "ann")
    await runner.advance(planned["id"], 2)
    await api.ask("DELETE", f"tokens/{made['id']}", 204)
    while await runner.turn(FOREVER):
        pass
    ended = await api.get(f"bulk/{planned['id']}")
    assert (ended["state"], ended["done"], ended["skipped"]) == ("finished", 2, 3)
    assert [(g["reason"], g["count"]) for g in ended["account"]] == [("permission", 3)]
    assert await states(api, ids) == ["canceled"] * 2 + ["pending"] * 3


async def test_families_are_deleted_and_each_job_counts(api: Api, runner: BulkRunner) -> None:
    parent = (await api.submit("noop", {}))["id"]
    children = [(await api.submit("noop", {}, parent=parent))["id"] for _ in range(3)]
    held = (await api.submit("noop", {}))["id"]
    alive = (await api.submit("noop", {}, parent=held))["id"]
    for job in (parent, *children, held):
        await api.put_job(job, state="failed")
    planned = await plan(api, "delete", ids=[parent, *children, held, alive])
    assert planned["allowed"] == 4
    assert {(g["reason"], g["text"]) for g in planned["refused"]} == {
        ("children", "some of its children have not ended"),
        ("state", "it is pending and may still run; cancel it first"),
    }
    await start(api, planned)
    while await runner.turn(FOREVER):
        await runner.advance(planned["id"], 2)
    ended = await api.get(f"bulk/{planned['id']}")
    assert (ended["done"], ended["skipped"], ended["failed"], ended["left"]) == (4, 2, 0, 0)
    assert {(g["reason"], *g["examples"]) for g in ended["account"]} == {("children", held), ("state", alive)}
    assert {j["id"] for j in (await api.get("jobs"))["items"]} == {held, alive}
    deleted = await told(api, "deleted")
    assert sorted(e["job_id"] for e in deleted) == [parent, *children]
    assert all(f'"bulk":{planned["id"]}' in e["data"].replace(" ", "") for e in deleted)


async def test_a_parent_and_its_children_are_canceled_once_each(api: Api, runner: BulkRunner) -> None:
    parent = (await api.submit("noop", {}))["id"]
    child = (await api.submit("noop", {}, parent=parent))["id"]
    planned = await plan(api, ids=[parent, child])
    await start(api, planned)
    await runner.advance(planned["id"], 1)
    while await runner.turn(FOREVER):
        pass
    ended = await api.get(f"bulk/{planned['id']}")
    assert (ended["done"], ended["skipped"]) == (1, 1)
    assert [g["reason"] for g in ended["account"]] == ["already"]
    assert [e["job_id"] for e in await told(api, "canceled")] == [child]


async def test_priorities_are_changed_where_they_matter(api: Api, runner: BulkRunner) -> None:
    waiting, same, over = await api.submit_many(3)
    await api.ask("PATCH", f"jobs/{same}", 200, json={"priority": 8})
    await api.put_job(over, state="failed")
    planned = await plan(api, "priority", ids=[waiting, same, over], priority=8)
    assert (planned["allowed"], {g["reason"] for g in planned["refused"]}) == (1, {"already", "state"})
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], {g["reason"] for g in ended["account"]}) == (1, {"already", "state"})
    assert [(await api.get(f"jobs/{i}"))["priority"] for i in (waiting, same, over)] == [8, 8, 5]


async def test_running_jobs_are_asked_and_resume_at_is_kept(api: Api, runner: BulkRunner) -> None:
    running, waiting = await api.submit_many(2)
    await api.lease(running)
    at = "2030-01-02T03:04:05Z"
    planned = await plan(api, "pause", ids=[running, waiting], reason="lunch", resume_at=at)
    assert planned["resume_at"] == at
    await carried_out(api, runner, planned)
    assert await states(api, [running, waiting]) == ["pausing", "paused"]
    async with api.core.database.read() as connection:
        kept = (await connection.execute(select(jobs.c.resume_at, jobs.c.reason).order_by(jobs.c.id))).all()
    assert {(resume_at, reason) for resume_at, reason in kept} == {(1_893_553_445_000_000, "lunch")}


async def test_a_job_that_breaks_its_batch_fails_alone(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(4)
    await api.put_job(ids[1], intent="nonsense")
    ended = await carried_out(api, runner, await plan(api, ids=ids))
    assert (ended["done"], ended["failed"], ended["left"]) == (3, 1, 0)
    assert [(g["outcome"], g["reason"], g["examples"]) for g in ended["account"]] == [("failed", "error", [ids[1]])]
    assert list((await outcomes(api, ended)).values()) == ["done", "failed", "done", "done"]


async def test_ten_thousand_jobs_are_all_accounted_for(api: Api, runner: BulkRunner) -> None:
    body = {"jobs": [{"type": "noop"}] * 10_000}
    await api.ask("POST", "projects/default/jobs/batch?fields=id", 202, json=body)
    ended_already = update(jobs).where(jobs.c.id % 10 == 0).values(state="succeeded")
    await api.core.database.transact(lambda tx: tx.connection.execute(ended_already))
    planned = await plan(api, filter={"type": ["noop"]})
    assert (planned["total"], planned["allowed"]) == (10_000, 9_000)
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], ended["skipped"], ended["failed"], ended["left"]) == (9_000, 1_000, 0, 0)
    assert [(g["reason"], g["count"], len(g["examples"])) for g in ended["account"]] == [("state", 1_000, 5)]
    async with api.core.database.read() as connection:
        query = select(bulk_items.c.outcome, jobs.c.state, func.count()).join(jobs, jobs.c.id == bulk_items.c.job_id)
        found = (await connection.execute(query.group_by(bulk_items.c.outcome, jobs.c.state))).all()
    assert {tuple(row) for row in found} == {("done", "canceled", 9_000), ("skipped", "succeeded", 1_000)}
    assert set(Counter(e["job_id"] for e in await told(api, "canceled")).values()) == {1}


async def test_two_servers_that_both_believe_they_lead_do_nothing_twice(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(60)
    planned = await plan(api, "restart", ids=ids)
    assert planned["allowed"] == 0
    for job in ids:
        await api.put_job(job, state="failed")
    planned = await plan(api, "restart", ids=ids)
    await start(api, planned)

    async def carry_on() -> None:
        while (await api.get(f"bulk/{planned['id']}"))["state"] == "running":
            await runner.advance(planned["id"], 7)

    await asyncio.gather(*(carry_on() for _ in range(3)))
    ended = await api.get(f"bulk/{planned['id']}")
    assert (ended["done"], ended["skipped"]) == (60, 0)
    assert sorted(e["job_id"] for e in await told(api, "restarted")) == ids
    assert {(await api.get(f"jobs/{i}"))["attempt"] for i in ids} == {2}


async def test_only_the_one_that_leads_carries_out(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(2)
    await start(api, await plan(api, ids=ids))
    leadership = Leadership(api.core.database, "other")
    standing_by = BulkRunner(api.core.database, leadership, api.core.control, permission_lost)
    assert not await standing_by.turn(FOREVER)
    assert await states(api, ids) == ["pending"] * 2
    assert await runner.turn(FOREVER)
    assert await states(api, ids) == ["canceled"] * 2


async def test_the_service_runs_until_it_is_stopped_and_goes_on_after_a_restart(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(3 * BATCH)
    planned = await plan(api, ids=ids)
    await start(api, planned)
    await runner.advance(planned["id"])
    serving, committed = Loops([runner]), api.core.database.wakeups.subscribe()
    await serving.start()
    async with asyncio.timeout(20):
        while (ended := await api.get(f"bulk/{planned['id']}"))["state"] == "running":
            await committed.wait(1)
    await serving.stop()
    committed.close()
    assert (ended["done"], ended["left"]) == (3 * BATCH, 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"operation": "cancel", "select": {}}, "select"),
        ({"operation": "cancel", "select": {"ids": [1], "filter": {}}}, "select"),
        ({"operation": "cancel", "select": {"ids": []}}, "select.ids"),
        ({"operation": "cancel", "select": {"ids": [0]}}, "select.ids[0]"),
        ({"operation": "explode", "select": {"filter": {}}}, "operation"),
        ({"operation": "cancel", "select": {"filter": {"state": []}}}, "select.filter.state"),
        ({"operation": "cancel", "select": {"filter": {"state": ["odd"]}}}, "select.filter.state[0]"),
        ({"operation": "cancel", "select": {"filter": {"sort": "type"}}}, "select.filter.sort"),
        ({"operation": "cancel", "select": {"filter": {}}, "resume_at": "2030-01-01T00:00:00Z"}, "body"),
        ({"operation": "cancel", "select": {"filter": {}}, "priority": 3}, "body"),
        ({"operation": "priority", "select": {"filter": {}}}, "body"),
    ],
)
async def test_what_makes_no_sense_is_refused(small: Api, body: Any, field: str) -> None:
    is_problem(await small.raw("POST", "bulk", json=body), 422, "invalid_input", field)


async def test_a_selection_may_name_very_many_ids(small: Api) -> None:
    real = await small.submit_many(2)
    planned = await plan(small, ids=list(range(1, 200_001)))
    assert (planned["total"], planned["allowed"], planned["skipped"]) == (200_000, 2, 199_998)
    assert planned["selection"] == {"ids": 200_000}
    assert planned["refused"][0]["examples"] == [i for i in range(1, 10) if i not in real][:5]


async def test_pages_of_my_operations(small: Api) -> None:
    made = [(await plan(small, ids=[1]))["id"] for _ in range(3)]
    first = await small.get("bulk?limit=2")
    assert [b["id"] for b in first["items"]] == made[:0:-1]
    second = await small.get(f"bulk?limit=2&cursor={first['next']}")
    assert [b["id"] for b in second["items"]] == made[:1]
    assert second["next"] is None
    is_problem(await small.raw("GET", f"bulk/{made[0]}/items?cursor={first['next']}"), 422, field="cursor")


async def test_old_ones_go_with_the_events(api: Api, runner: BulkRunner) -> None:
    ids = await api.submit_many(2)
    old, young = [await carried_out(api, runner, await plan(api, ids=[i])) for i in ids]
    unused = await plan(api, ids=[*range(1, PRUNED_AT_ONCE + 10)])
    fresh = await plan(api, ids=ids)

    async def age(bulk: Any, column: str, days: float) -> None:
        statement = update(bulks).where(bulks.c.id == bulk["id"]).values({column: bulks.c[column] - int(days * DAY)})
        await api.core.database.transact(lambda tx: tx.connection.execute(statement))

    await age(old, "ended_at", 8)
    await age(young, "ended_at", 6)
    await age(unused, "expires_at", 2)
    await age(fresh, "expires_at", 0.5)

    async def kept(events_days: float | None) -> set[int]:
        leadership = runner._leadership
        retention = Retention(None, events_days)
        await Prune(api.core.database, leadership, api.core.control, retention, api.core.garbage)()
        async with api.core.database.read() as connection:
            there = set((await connection.execute(select(bulks.c.id))).scalars())
            assert set((await connection.execute(select(bulk_items.c.bulk_id).distinct())).scalars()) == there
        return there

    assert await kept(None) == {old["id"], young["id"], fresh["id"]}
    assert await kept(7) == {young["id"], fresh["id"]}
