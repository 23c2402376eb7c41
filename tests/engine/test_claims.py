"""Claims and limits on live jobs: who may run beside whom, what the others are told, what changes when it changes."""

from __future__ import annotations

import pytest

from jobdeck.core.life.operations import Operation
from jobdeck.core.life.waiting import Reason
from jobdeck.engine.scheduling.scheduler import Scheduler
from tests.engine.harness import Engine, reached, script
from tests.engine.scripted import Script
from tests.engine.test_operations import FAR


class Holder:
    """Jobs that run until they are let go."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.plots: dict[int, Script] = {}

    async def submit(
        self, *claims: tuple[str, int, str], type_name: str = "scripted", label: str | None = None, **facts: object
    ) -> int:
        plot = script()
        plot.hold("s0/0/0")
        params = {"key": plot.key, "claims": claims, "label": label}
        job = await self.engine.submit_with(type_name, params, **facts)
        self.plots[job] = plot
        return job

    async def runs(self, job: int) -> None:
        await reached(self.plots[job].gates["s0/0/0"])

    async def let_go(self, job: int) -> None:
        self.plots[job].gates["s0/0/0"].opened.set()
        await self.engine.until(job, "succeeded")


@pytest.fixture
def holder(engine: Engine) -> Holder:
    return Holder(engine)


WRITE, READ = ("object:lake/b/t", 1, "x"), ("object:lake/b/t", 1, "s")


async def test_writers_exclude_and_readers_share(engine: Engine, holder: Holder) -> None:
    """All readers that a writer kept waiting start together when it ends, and another writer after all of them."""
    writer = await holder.submit(WRITE)
    await holder.runs(writer)
    reader, another = await holder.submit(READ), await holder.submit(READ)
    later = await holder.submit(WRITE)
    for job in (reader, another, later):
        assert (await engine.waits_for(job, "claim")).holders == (writer,)
    await holder.let_go(writer)
    await holder.runs(reader)
    await holder.runs(another)
    assert (await engine.waits_for(later, "claim")).holders == (reader, another)
    await holder.let_go(another)
    assert (await engine.waits_for(later, "claim")).holders == (reader,)
    await holder.let_go(reader)
    await holder.runs(later)


async def test_whoever_takes_over_knows_what_is_held(engine: Engine, holder: Holder) -> None:
    first = await holder.submit(WRITE)
    await holder.runs(first)
    second = await holder.submit(WRITE)
    await engine.waits_for(second, "claim")
    successor = Scheduler(engine.database, engine.leadership, project_limit=None)
    assert not await successor.turn()
    assert successor.waiting() == 1
    assert await engine.leased() == {first}
    await holder.let_go(first)
    await holder.runs(second)


async def test_objects_of_two_projects_are_two(engine: Engine, holder: Holder) -> None:
    await engine.add_project("other")
    here, there = await holder.submit(WRITE), await holder.submit(WRITE, project="other")
    await holder.runs(here)
    await holder.runs(there)


async def test_a_pause_gives_back_and_a_resume_asks_again(engine: Engine, holder: Holder) -> None:
    first = await holder.submit(WRITE)
    await holder.runs(first)
    second = await holder.submit(WRITE)
    await engine.waits_for(second, "claim")
    await engine.done(Operation.PAUSE, first)
    await holder.runs(second)
    await engine.done(Operation.RESUME, first)
    assert (await engine.waits_for(first, "claim")).holders == (second,)
    await holder.let_go(second)
    await holder.let_go(first)


LIMITS = {
    "project": "project:default", "type": "type:scripted", "type in project": "project:default/type:scripted",
    "instance": "instance", "own": "project:default/licence",
}  # fmt: skip


@pytest.mark.parametrize("resource", LIMITS.values(), ids=LIMITS.keys())
async def test_a_limit_changes_live(engine: Engine, holder: Holder, resource: str) -> None:
    await engine.set_limit(resource, 2)
    await engine.settled()
    own = [("licence", 1, "s")]
    jobs = [await holder.submit(*own) for _ in range(5)]
    await holder.runs(jobs[0])
    await holder.runs(jobs[1])
    reason = await engine.waits_for(jobs[2], "claim")
    assert (reason.capacity, reason.holders) == (2, (jobs[0], jobs[1]))
    assert reason.resource == resource.removeprefix("project:default/")
    await engine.set_limit(resource, 3)
    await holder.runs(jobs[2])
    await engine.set_limit(resource, 1)
    await engine.settled()
    for job in jobs[:2]:
        await holder.let_go(job)
    await engine.settled()
    assert await engine.leased() == {jobs[2]}
    await holder.let_go(jobs[2])
    await holder.runs(jobs[3])
    await engine.set_limit(resource, None)
    await holder.runs(jobs[4])


async def test_units_add_up(engine: Engine, holder: Holder) -> None:
    await engine.set_limit("project:default/licence", 5)
    await engine.settled()
    three = await holder.submit(("licence", 3, "s"))
    await holder.runs(three)
    big = await holder.submit(("licence", 3, "s"))
    await engine.waits_for(big, "claim")
    small = await holder.submit(("licence", 1, "s"), ("licence", 1, "s"))
    await holder.runs(small)
    await holder.let_go(three)
    await holder.runs(big)
    never = await holder.submit(("licence", 6, "s"))
    reason = await engine.waits_for(never, "claim")
    assert "raise the limit" in reason.text


async def test_a_light_job_passes_one_that_waits_for_a_claim(engine: Engine, holder: Holder) -> None:
    first = await holder.submit(WRITE)
    await holder.runs(first)
    blocked = await holder.submit(WRITE, priority=9)
    await engine.waits_for(blocked, "claim")
    free = await holder.submit(priority=0)
    await holder.runs(free)


@pytest.mark.parametrize("scope", ["instance", "project:default", "type:scripted"])
async def test_paused_scopes(engine: Engine, holder: Holder, scope: str) -> None:
    before = await holder.submit()
    await holder.runs(before)
    await engine.pause_scope(scope, "the roof leaks")
    await engine.settled()
    after = await holder.submit()
    await engine.settled()
    (reason,) = await engine.reasons(after)
    assert (reason.reason, reason.resource) == (Reason.PAUSED_SCOPE, scope)
    assert "the roof leaks" in reason.text
    assert await engine.leased() == {before}
    await engine.resume_scope(scope)
    await holder.runs(after)


async def test_every_reason_is_told_in_order(quiet: Engine) -> None:
    await quiet.pause_scope("instance")
    await quiet.set_limit("project:default", 0)
    job = await quiet.submit_with("scripted", {}, not_before=FAR)
    reasons = await quiet.reasons(job)
    assert [r.reason for r in reasons] == [Reason.NOT_BEFORE, Reason.PAUSED_SCOPE, Reason.CLAIM, Reason.NO_WORKER]
    assert reasons[0].until == FAR


async def test_turns_are_numbered_and_taken_in_that_order(quiet: Engine) -> None:
    plot = script()
    jobs = [await quiet.submit_with("scripted", {"key": plot.key}, priority=p) for p in (1, 5, 9)]
    (reason,) = await quiet.reasons(jobs[0])
    assert reason.reason == Reason.NO_WORKER
    await quiet.pause_scope("instance")
    await quiet.settled()
    await quiet.hire(light=1)
    await quiet.resume_scope("instance")
    ends = [(await quiet.until(job, "succeeded"))["started_at"] for job in jobs]
    assert ends == sorted(ends, reverse=True)


async def test_a_full_worker_leaves_a_turn(engine: Engine, holder: Holder) -> None:
    await engine.fire(engine.hands[0])
    await engine.hire(light=1)
    first = await holder.submit()
    await holder.runs(first)
    second, third = await holder.submit(), await holder.submit()
    assert "number 1 in" in (await engine.waits_for(second, "turn")).text
    assert "number 2 in" in (await engine.waits_for(third, "turn")).text
    await holder.let_go(first)
    await holder.runs(second)
    assert await engine.leased() == {second}
