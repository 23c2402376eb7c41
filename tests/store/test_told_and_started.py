"""What people are told of waiting jobs is what the scheduler does next: the answer of the API beside real decisions, on
random queues over the same database at the same time, and beside a plain and slow model of who goes first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from jobdeck.core.claims import Claim, Mode
from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.endings import Ending, Finished, HandedBack, RetryLater
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import JobLeft
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import Reason, WaitingFor
from jobdeck.engine.control import Control
from jobdeck.engine.scheduling import scheduler as scheduling
from jobdeck.engine.scheduling.scheduler import Leadership, Scheduler
from jobdeck.engine.scheduling.world import WORKER_SILENCE
from jobdeck.store import limits, pauses
from jobdeck.store.running import leases, workers
from jobdeck.store.running.leases import claims_of
from jobdeck.store.running.workers import ACTIVE, DRAINING, GONE, StoredWorker
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.sql.database import Tx
from tests.store.desk import LEASE, Desk, NoContent, new_job

PROJECT_LIMIT = 4
ROUNDS = 25
MANY = 30
WEIGHTS = {"p": 1.0, "q": 2.0, "r": 0.5}
ISOLATION = {"a": "process", "b": "process", "c": "thread"}
STAFF = [("w3", 2, 1, "ac"), ("w4", 1, 2, "ab"), ("w5", 2, 0, "b"), ("w6", 2, 2, "abc"), ("w7", 0, 1, "c")]
LIMITED = (
    "instance", "type:a", "project:p", "project:q/type:b", "project:p/x", "project:q/x", "project:p/y", "project:r/y",
)  # fmt: skip
SCOPES = ("instance", "project:p", "project:q", "type:a", "type:b")
SECOND = 1_000_000
PLACE_FREE = "a worker has a place free"


class Leads(Leadership):
    """The lead that the desk holds."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.database, "s1")
        self._desk = desk

    @property
    def current(self) -> Leader | None:
        return self._desk.leader


def scheduler_of(desk: Desk, project_limit: int | None = PROJECT_LIMIT) -> Scheduler:
    return Scheduler(desk.database, Leads(desk), project_limit=project_limit, lease_seconds=LEASE)


async def decided(desk: Desk, scheduler: Scheduler) -> list[int]:
    """Take turns until nothing more happens; the jobs that were started, in order."""
    begin = last = (await desk.events())[-1].id
    more = True
    while more:
        again = await scheduler.turn()
        (now,) = {e.id for e in (await desk.events(last))[-1:]} or {last}
        more, last = again or now > last, now
    return [e.job_id for e in await desk.events(begin) if e.kind == "started" and e.job_id is not None]


@dataclass
class Model:
    """Who goes first, as the documents say it; every question is answered by looking at all that there is."""

    jobs: dict[int, dict[str, Any]]
    held: dict[int, tuple[str, tuple[Claim, ...]]]
    limits: dict[str, int]
    workers: dict[str, StoredWorker]
    names: dict[int, str]
    now: int

    @classmethod
    async def of(cls, desk: Desk) -> Model:
        silent = desk.clock.time - int(WORKER_SILENCE * SECOND)
        async with desk.database.read() as connection:
            there = await workers.alive(connection, silent)
        return cls(
            {row["id"]: row for row in await desk.rows("jobs")},
            {row["job_id"]: (row["worker_id"], claims_of(row["claims"])) for row in await desk.rows("leases")},
            {row["resource"]: row["capacity"] for row in await desk.rows("limits")},
            {worker.id: worker for worker in there if worker.state == ACTIVE},
            {row["id"]: row["name"] for row in await desk.rows("projects")},
            desk.clock.time,
        )

    def is_met(self, claim: Claim) -> bool:
        others = [c for _, claims in self.held.values() for c in claims if c.resource == claim.resource]
        if any(c.mode is Mode.EXCLUSIVE for c in others) or (others and claim.mode is Mode.EXCLUSIVE):
            return False
        scope, _, rest = claim.resource.partition("/")
        limit = self.limits.get(claim.resource, PROJECT_LIMIT if scope.startswith("project:") and not rest else 10**9)
        return sum(c.units for c in others) + claim.units <= limit

    def has_place(self, job: int, worker: StoredWorker) -> bool:
        row = self.jobs[job]
        slots = worker.light_slots if row["isolation"] == "thread" else worker.slots
        alike = (j for j, (w, _) in self.held.items() if w == worker.id)
        taken = sum(self.jobs[j]["isolation"] == row["isolation"] for j in alike)
        return row["type"] in worker.types and taken < slots

    def can_start(self, job: int) -> bool:
        met = all(self.is_met(claim) for claim in claims_of(self.jobs[job]["claims"]))
        return met and any(self.has_place(job, worker) for worker in self.workers.values())

    def share(self, project: int) -> float:
        running: int = sum(self.jobs[job]["project_id"] == project for job in self.held)
        return running / WEIGHTS[self.names[project]]

    def order(self, job: int) -> tuple[float, int, int, int]:
        """The project that uses the least of its share; in it by priority, which grows with age, and then by age."""
        row = self.jobs[job]
        return self.share(row["project_id"]), row["project_id"], row["order_key"], job

    def first_of(self, candidates: set[int]) -> int | None:
        return min((j for j in candidates if self.can_start(j)), key=self.order, default=None)

    def number(self, job: int) -> int:
        """In the queue of its project."""
        mine = self.jobs[job]
        queue = [
            (row["order_key"], i) for i, row in self.jobs.items()
            if row["project_id"] == mine["project_id"] and row["state"] == State.PENDING
            and not row["waits_for_children"] and (row["not_before"] or 0) <= self.now
        ]  # fmt: skip
        return 1 + sum(place < (mine["order_key"], job) for place in queue)


@dataclass
class Story:
    """Things change by chance; then everyone is told why they wait, and the scheduler decides."""

    desk: Desk
    chance: Random
    scheduler: Scheduler
    beating: set[str] = field(default_factory=set)
    seen: set[Reason] = field(default_factory=set)
    starts: int = 0
    outrun: int = 0
    """Jobs that were told a place was free, and that lost it to others."""

    async def begin(self) -> None:
        row = "INSERT INTO projects (id, name, title, weight, created_at) VALUES (:id, :name, :name, :weight, 0)"
        for number, name in enumerate(WEIGHTS, 1):
            if name != "p":
                await self.desk.sql(row, id=number, name=name, weight=WEIGHTS[name])
        for old in ("w1", "w2"):
            await workers.set_state(self.desk.database, old, GONE)
        for _ in range(2):
            await self.hire()

    async def change(self) -> None:
        """Some of what may happen between two decisions."""
        self.desk.leader = await self.desk.lead("s1")
        self.desk.clock.advance(self.chance.choice([0.5, 2, 2, 5, 6.5]))
        self.desk.leader = await self.desk.lead("s1")  # after a long pause it leads anew, and looks at everything anew
        doings = (self.submit, self.end, self.end, self.limit, self.pause, self.prioritize, self.operate, self.staff)
        for doing in (self.limit, *self.chance.choices(doings, k=6)):
            await doing()
        await self.desk.database.transact(self._beat)
        if self.chance.random() < 0.2:
            await leases.expire(self.desk.database, self.desk.leader)

    async def _beat(self, tx: Tx) -> None:
        for worker in sorted(self.beating):
            await workers.beat(tx, worker)
            await leases.renew(tx, worker, LEASE)

    async def some(self, *states: State) -> list[int]:
        """A few jobs in one of these states."""
        ids = [row["id"] for row in await self.desk.rows("jobs") if row["state"] in states]
        return self.chance.sample(ids, min(len(ids), self.chance.randint(1, 3)))

    def claims(self) -> Iterator[Claim]:
        for name in self.chance.sample(["x", "y", "z"], self.chance.choice([0, 0, 1, 1, 2])):
            yield Claim.exclusive(name) if self.chance.random() < 0.4 else Claim(name, self.chance.randint(1, 2))

    async def submit(self) -> None:
        """Several at once, of one age; until very many wait."""
        if sum(row["state"] == State.PENDING for row in await self.desk.rows("jobs")) > MANY:
            return
        named = {row["id"]: row["name"] for row in await self.desk.rows("projects")}
        parents = [j for j in await self.some(State.RUNNING) if self.chance.random() < 0.3]
        of = {row["id"]: row["project_id"] for row in await self.desk.rows("jobs")}
        new = []
        for _ in range(self.chance.randint(2, 6)):
            parent = self.chance.choice(parents) if parents else None
            project = of[parent] if parent else self.chance.choice([*named])
            kind, at = self.chance.choice("aabc"), self.desk.clock.time + self.chance.randint(1, 8) * SECOND
            new.append(new_job(
                *self.claims(), type=kind, parent=parent, priority=self.chance.choice([0, 5, 5, 9]),
                not_before=at if self.chance.random() < 0.15 else None, project=(project, named[project]),
                isolation=ISOLATION[kind],
            ))  # fmt: skip
        await self.desk.submit(*new)

    async def end(self) -> None:
        later: Ending = RetryLater(ErrorInfo("bad", "bad"), self.desk.clock.time + 3 * SECOND)
        for job in (await self.desk.jobs(await self.some(State.RUNNING, State.PAUSING, State.CANCELING))).values():
            await self.desk.write(job, JobLeft(self.chance.choice([Finished(), Finished(), HandedBack(), later])))

    async def limit(self) -> None:
        resource, capacity = self.chance.choice(LIMITED), self.chance.choice([None, None, 0, 1, 2, 3])

        async def work(tx: Tx) -> None:
            if capacity is None:
                await limits.clear(tx, resource, None, "ann")
            else:
                await limits.put(tx, resource, None, capacity, "ann")

        await self.desk.database.transact(work)

    async def pause(self) -> None:
        await self.pause_in(self.chance.choice(SCOPES), lift=self.chance.random() < 0.8)

    async def pause_in(self, scope: str, *, lift: bool = False) -> None:
        async def work(tx: Tx) -> None:
            for paused in SCOPES if lift else ():
                await pauses.clear(tx, paused, "ann")
            if not lift:
                await pauses.put(tx, scope, "ann", None)

        await self.desk.database.transact(work)

    async def prioritize(self) -> None:
        control = Control(self.desk.database, NoContent())  # type: ignore[arg-type]
        for job in await self.some(State.PENDING):
            await control.set_priority(job, self.chance.randint(0, 9), actor="ann")

    async def operate(self) -> None:
        await self.desk.operate(Operation.RESUME, *await self.some(State.PAUSED, State.FAILED))
        doing = self.chance.choice([Operation.PAUSE, Operation.CANCEL])
        await self.desk.operate(doing, *(await self.some(State.PENDING, State.RUNNING))[:1])

    async def staff(self) -> None:
        """One comes, one takes no more, or one falls silent; one stays at work."""
        if len(self.beating) <= 1 or self.chance.random() < 0.4:
            await self.hire()
            return
        leaving = self.chance.choice(sorted(self.beating))
        if self.chance.random() < 0.5:
            await workers.set_state(self.desk.database, leaving, DRAINING)
        else:
            self.beating.discard(leaving)

    async def hire(self) -> None:
        known = {row["id"] for row in await self.desk.rows("workers")}
        kind, slots, light, types = self.chance.choice(STAFF)
        name = f"{kind}-{len(known)}"
        await workers.join(self.desk.database, StoredWorker(name, name, "host", 1, slots, light, tuple(types), "1"))
        self.beating.add(name)

    async def compare(self) -> None:
        told = await self.desk.told(WORKER_SILENCE, PROJECT_LIMIT)
        model = await Model.of(self.desk)
        turns = {job for job, reasons in told.items() if [r.reason for r in reasons] == [Reason.TURN]}
        free = {job for job in turns if PLACE_FREE in told[job][0].text}
        for job in turns:
            assert number_in(told[job][0]) == model.number(job)
            assert (job in free) == model.can_start(job), f"{job} was told {told[job][0].text}"
        started = await decided(self.desk, self.scheduler)
        given = {row["job_id"]: row["worker_id"] for row in await self.desk.rows("leases")}
        waiting = set(turns)
        for job in started:
            assert job in free, f"job {job} started and was told {told[job]}"
            assert job == model.first_of(waiting), f"job {job} went before {model.first_of(waiting)}"
            assert model.has_place(job, model.workers[given[job]])
            model.held[job] = (given[job], claims_of(model.jobs[job]["claims"]))
            waiting.remove(job)
        left = model.first_of(waiting)
        assert left is None, f"job {left} was told its turn had come, nobody took its place, and it waits"
        after = await self.desk.told(WORKER_SILENCE, PROJECT_LIMIT)
        assert all(after.values())
        assert not [job for job, reasons in after.items() if PLACE_FREE in reasons[0].text]
        self.seen |= {r.reason for reasons in told.values() for r in reasons}
        self.starts += len(started)
        self.outrun += len(free) - len(started)


def number_in(reason: WaitingFor) -> int:
    found = re.search(r"It is number (\d+) in its project's queue\.", reason.text)
    assert found, reason.text
    return int(found[1])


@pytest.mark.parametrize("seed", range(2))
async def test_who_is_told_that_it_is_its_turn_starts(
    desk: Desk, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """And nobody else; in the order of the documents; and who was outrun lacks what those before it took."""
    monkeypatch.setattr(scheduling, "POLL_SECONDS", 0.0)  # it looks at the workers each time, as people's answers do
    story = Story(desk, Random(seed), scheduler_of(desk))
    await story.begin()
    for number in range(ROUNDS):
        await story.change()
        if number == ROUNDS // 2:  # by chance alone it can be that nobody ever waits for a pause
            await story.submit()
            await story.pause_in("instance")
        await story.compare()
    assert story.seen >= {Reason.NOT_BEFORE, Reason.PAUSED_SCOPE, Reason.CLAIM, Reason.TURN}
    assert story.starts > ROUNDS / 2
    assert story.outrun


async def test_a_parent_is_told_that_its_children_have_ended(desk: Desk) -> None:
    """Between the end of its last child and the moment in which it is settled, nothing may start it."""
    parent = await desk.running()
    child = await desk.one(parent=parent.id)
    await desk.leave(parent, Finished())
    assert [(r.reason, r.holders) for r in (await desk.told(LEASE))[parent.id]] == [(Reason.DEPENDENCY, (child,))]
    await desk.assign(child)
    await desk.leave(await desk.job(child), Finished())
    bystander = await desk.one()
    told = await desk.told(LEASE)
    assert [r.reason for r in told[parent.id]] == [Reason.DEPENDENCY]
    assert "have ended" in told[parent.id][0].text
    assert number_in(told[bystander][0]) == 1
    assert await desk.assign(parent.id) == set()
    assert await decided(desk, scheduler_of(desk)) == [bystander]
    assert (await desk.job(parent.id)).state is State.SUCCEEDED


async def test_who_is_moved_up_in_the_line_for_a_claim_gets_it(desk: Desk) -> None:
    """Also while it waits in that line, where the scheduler has put it aside."""
    scheduler, table = scheduler_of(desk), Claim.exclusive("table")
    holder = await desk.one()
    first, second, third = await desk.submit(*[new_job(table) for _ in range(3)])
    assert await decided(desk, scheduler) == [holder, first]
    assert [r.holders for r in (await desk.told(LEASE))[third]] == [(first,)]
    control = Control(desk.database, NoContent())  # type: ignore[arg-type]
    assert (await control.set_priority(third, 9, actor="ann")).changed
    assert await decided(desk, scheduler) == []
    await desk.leave(await desk.job(first), Finished())
    assert await decided(desk, scheduler) == [third]
    assert (await control.set_priority(third, 9, actor="ann")).changed is False
    await desk.leave(await desk.job(third), Finished())
    assert await decided(desk, scheduler) == [second]
