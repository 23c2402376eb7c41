"""Random lives of many jobs on a real database: two schedulers, workers that die or come late, people, clock jumps.

A small model remembers what was promised; after every rule the whole database is checked against the facts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Awaitable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobdeck.core.claims import Claim, Held
from jobdeck.core.errors import ErrorInfo, NotLeader
from jobdeck.core.life.endings import Broke, Ending, Finished, Halted, HandedBack, RetryLater
from jobdeck.core.life.job import ChildPolicy, Job
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import (
    JobAdvanced,
    JobLeft,
    PlannedTask,
    Record,
    StepOpened,
    TaskAdvanced,
    TaskEnded,
    TaskStarted,
)
from jobdeck.core.life.states import ALIVE, ENDED, FINAL, State, StepState
from jobdeck.engine.scheduling.capacity import Capacities
from jobdeck.engine.scheduling.index import QueueIndex
from jobdeck.store.running import leases
from jobdeck.store.running.leases import Pick
from jobdeck.store.scheduling import families, leadership, queue
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.scheduling.queue import QueuedJob
from tests.store.conftest import TEMPLATE, address
from tests.store.desk import LEASE, WORKERS, Desk, new_job

T = TypeVar("T")
ERROR = ErrorInfo("bad", "bad")
LIMITS = {"project:p": 5, "project:p/x": 2, "type:b": 2}
SECONDS = 1_000_000
FOR_EVER = 10.0**9
CLAIMS = (Claim("x"), Claim("x", 2), Claim.exclusive("x"), Claim("y"), Claim.exclusive("y"))
LIKELY = {
    "submit": 5, "operate": 5, "lead": 3, "schedule": 8, "work": 4, "leave": 5, "time": 2, "silent": 1, "look after": 2,
    "renew": 1,
}  # fmt: skip
"""How often each thing happens in a busy hour."""
chosen = st.integers(0, 10_000)
"""Picks one of the things that are there, whatever their number."""


class Scheduler:
    """A leader with its index, fed as the engine feeds it; it may be behind, and may not know that it leads no more."""

    def __init__(self, desk: Desk, holder: str) -> None:
        self.desk, self.holder = desk, holder
        self.leader: Leader | None = None
        self.index = QueueIndex(Capacities(None))
        self.cursor = 0

    async def lead(self) -> None:
        leader = await leadership.try_lead(self.desk.database, self.holder, 6.0)
        if leader is not None and leader != self.leader:
            self.leader = leader
            await self.rebuild()

    async def rebuild(self) -> None:
        self.index = QueueIndex(Capacities(None))
        self.index.capacities.replace(LIMITS)
        self.index.places.replace(WORKERS)
        self.cursor = (await self.desk.events())[-1].id
        async with self.desk.database.read() as connection:
            self.index.set_projects(await queue.project_weights(connection))
            held = await leases.held(connection)
            for job in await queue.open_jobs(connection, None, 10_000):
                self.place(job, held)

    def place(self, job: QueuedJob, held: dict[int, Any]) -> None:
        if job.leased:
            worker, claims = held[job.id]
            self.index.hold(job, worker, claims)
        elif job.state in ENDED:
            self.index.remove(job.id)
            self.index.release(job.id)
        else:
            self.index.put(job)

    async def follow(self) -> None:
        happened = await self.desk.events(self.cursor)
        if not happened:
            return
        wanted = {e.job_id for e in happened if e.job_id is not None}
        async with self.desk.database.read() as connection:
            found = await queue.jobs_by_id(connection, wanted)
            held = await leases.held(connection)
        for job in found:
            self.place(job, held)
        for gone in wanted - {j.id for j in found}:
            self.index.remove(gone)
            self.index.release(gone)
        self.cursor = happened[-1].id

    async def assign(self) -> list[Pick]:
        """Decide and assign; what another one took in the meantime is given back."""
        assert self.leader is not None
        picks = self.index.decide(self.desk.clock.time, 500)
        if not picks:
            return []
        try:
            started = await leases.assign(self.desk.database, self.leader, picks, LEASE)
        except NotLeader:
            self.leader = None
            raise
        for pick in picks:
            if pick.job not in started:
                self.index.release(pick.job)
        return [p for p in picks if p.job in started]


class Life(RuleBasedStateMachine):
    """The rules; every one of them is something that may happen at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stay: Any = None
        self.promised: dict[int, Job] = {}
        """Jobs that were accepted and not deleted, as they were last seen."""
        self.holders: list[Job] = []
        """Everyone who was ever given a job, with the epoch it was told."""

    def run(self, doing: Awaitable[T]) -> T:
        async def go() -> T:
            return await doing

        return self.runner.run(go())

    def make_database(self) -> str:
        raise NotImplementedError

    def drop_database(self) -> None: ...

    @initialize()
    def open(self) -> None:
        self.stay = Desk.at(self.make_database())
        self.desk: Desk = self.run(self.stay.__aenter__())
        self.schedulers = [Scheduler(self.desk, "s1"), Scheduler(self.desk, "s2")]
        self.run(self.schedulers[0].lead())
        for resource, capacity in LIMITS.items():
            values = {"r": resource, "c": capacity}
            self.run(self.desk.sql("INSERT INTO limits (resource, capacity, set_at) VALUES (:r, :c, 0)", **values))

    def teardown(self) -> None:
        if self.stay is not None:
            self.run(self.stay.__aexit__(None, None, None))
        self.runner.close()
        self.drop_database()

    # People.

    @rule(
        claims=st.lists(st.sampled_from(CLAIMS), max_size=2), kind=st.sampled_from("ab"), parent=st.none() | chosen,
        policy=st.sampled_from(ChildPolicy), delay=st.sampled_from([None, None, 5]), count=st.integers(1, 3),
    )  # fmt: skip
    def submit(
        self, claims: list[Claim], kind: str, parent: int | None, policy: ChildPolicy, delay: int | None, count: int
    ) -> None:
        open_ones = [j.id for j in self.promised.values() if j.state not in ENDED and j.state is not State.CANCELING]
        of = open_ones[parent % len(open_ones)] if parent is not None and open_ones else None
        at = None if delay is None else self.desk.clock.time + delay * SECONDS
        new = [new_job(*claims, type=kind, parent=of, policy=policy, not_before=at) for _ in range(count)]
        self.promised |= self.run(self.desk.jobs(self.run(self.desk.submit(*new))))

    @precondition(lambda self: self.promised)
    @rule(which=chosen, operation=st.sampled_from(Operation))
    def operate(self, which: int, operation: Operation) -> None:
        job_id = sorted(self.promised)[which % len(self.promised)]
        (result,) = self.run(self.desk.operate(operation, job_id))
        if operation is Operation.DELETE and result.changed:
            doomed = {job_id}
            while more := {j.id for j in self.promised.values() if j.parent_id in doomed} - doomed:
                doomed |= more
            assert all(self.promised[i].state in ENDED for i in doomed)
            self.promised = {i: j for i, j in self.promised.items() if i not in doomed}

    # Schedulers.

    @rule(which=st.integers(0, 1))
    def lead(self, which: int) -> None:
        self.run(self.schedulers[which].lead())

    @rule(which=st.integers(0, 1), follows=st.sampled_from([True, True, False]))
    def schedule(self, which: int, follows: bool) -> None:
        """A scheduler that believes it leads decides, perhaps on old news; only the one that does lead assigns."""
        scheduler = self.schedulers[which]
        if scheduler.leader is None:
            return
        leads = self.run(self._newest_epoch()) == scheduler.leader.epoch
        if follows:
            self.run(scheduler.follow())
        try:
            picks = self.run(scheduler.assign())
        except NotLeader:
            assert not leads
            return
        assert leads or not picks
        self.holders += self.run(self.desk.jobs(p.job for p in picks)).values()
        if follows and leads:
            self.run(self._nothing_startable_waits())

    async def _newest_epoch(self) -> int:
        return int((await self.desk.rows("leadership"))[0]["epoch"])

    @rule(which=st.integers(0, 1))
    def workers_are_silent(self, which: int) -> None:
        """Long enough for every lease to run out; what they held goes to others, and they may still write."""
        self.desk.clock.advance(LEASE + 1)
        self.lead(which)
        self.look_after()
        self.schedule(which, follows=True)

    @rule()
    def look_after(self) -> None:
        """The leader's small duties."""
        leader = next((s.leader for s in self.schedulers if s.leader is not None), None)
        if leader is None:
            return
        try:
            self.run(leases.expire(self.desk.database, leader))
            self.run(families.settle(self.desk.database, leader, self.promised))
        except NotLeader:
            pass

    # Workers.

    @precondition(lambda self: self.holders)
    @rule(which=chosen, what=st.sampled_from(["open", "advance", "end"]))
    def work(self, which: int, what: str) -> None:
        records: dict[str, tuple[Record, ...]] = {
            "open": (StepOpened(0, "s", 1.0, (PlannedTask(0, "k"),), dirties=True), TaskStarted(0, 0, "h")),
            "advance": (TaskAdvanced(0, 0, "1", 1, 2), JobAdvanced(0.5, 1, 2, "u")),
            "end": (TaskEnded(0, 0, StepState.SUCCEEDED, "1"),),
        }
        self._say(which, *records[what])

    @precondition(lambda self: self.holders)
    @rule(which=chosen, how=st.sampled_from(["finish", "finish", "break", "retry", "halt", "hand back", "undo"]))
    def leave(self, which: int, how: str) -> None:
        later = self.desk.clock.time + 5 * SECONDS
        endings: dict[str, Ending] = {
            "finish": Finished('"r"'), "break": Broke(ERROR), "retry": RetryLater(ERROR, later), "halt": Halted(),
            "hand back": HandedBack(), "undo": Halted(undone=True),
        }  # fmt: skip
        self._say(which, JobLeft(endings[how]))

    def _say(self, which: int, *records: Record) -> None:
        """A holder, perhaps one whose lease is long gone, writes: it lands if, and only if, it holds the job still."""
        holder = self.holders[which % len(self.holders)]
        before = self.run(self.desk.dump())
        holds = any((row["job_id"], row["epoch"]) == (holder.id, holder.epoch) for row in before["leases"])
        assert self.run(self.desk.write(holder, *records)) == holds
        if not holds:
            assert self.run(self.desk.dump()) == before
            self.holders.remove(holder)

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def renew(self, worker: str) -> None:
        self.run(self.desk.database.transact(lambda tx: leases.renew(tx, worker, LEASE)))

    @rule(seconds=st.sampled_from([0.5, 3, 7, 11, -5]))
    def time_passes(self, seconds: float) -> None:
        self.desk.clock.advance(seconds)

    @rule(seed=st.integers(0, 2**32))
    def busy_hour(self, seed: int) -> None:
        """Much at once, by chance: rare orders of events come up far sooner than rule by rule."""
        chance = Random(seed)
        for _ in range(12):
            self._something(chance)
            self.facts()

    def _something(self, chance: Random) -> None:
        which, (what,) = chance.randrange(10_000), chance.choices([*LIKELY], [*LIKELY.values()])
        match what:
            case "submit":
                wanted = chance.choices(CLAIMS, k=chance.randint(0, 2))
                parent = chance.choice([None, None, which])
                self.submit(wanted, chance.choice("ab"), parent, chance.choice([*ChildPolicy]), None, 2)
            case "operate" if self.promised:
                self.operate(which, chance.choice([*Operation]))
            case "lead":
                self.lead(which % 2)
            case "schedule":
                self.schedule(which % 2, chance.random() < 0.7)
            case "work" if self.holders:
                self.work(which, chance.choice(["open", "advance", "end"]))
            case "leave" if self.holders:
                self.leave(which, chance.choice(["finish", "finish", "break", "retry", "halt", "hand back", "undo"]))
            case "time":
                self.time_passes(chance.choice([0.5, 3, 7, 11]))
            case "silent":
                self.workers_are_silent(which % 2)
            case "look after":
                self.look_after()
            case _:
                self.renew(chance.choice(["w1", "w2"]))

    # What holds at every moment.

    @invariant()
    def facts(self) -> None:
        if self.stay is None:
            return
        rows = {row["id"]: row for row in self.run(self.desk.rows("jobs"))}
        held_by = {row["job_id"]: row for row in self.run(self.desk.rows("leases"))}
        assert set(rows) == set(self.promised), "a job was lost, or one that was deleted is still there"
        for job_id, row in rows.items():
            before, state = self.promised[job_id], State(row["state"])
            lease = held_by.get(job_id)
            assert row["leased"] == (lease is not None)
            assert lease is None or (state in ALIVE and lease["epoch"] == row["epoch"])
            assert lease is not None or state not in (State.RUNNING, State.PAUSING)
            assert row["epoch"] >= before.epoch
            assert row["attempt"] >= before.attempt
            if before.state in FINAL:
                assert (state, row["result"], row["attempt"]) == (before.state, before.result, before.attempt)
            assert (row["fraction"] == 1.0) == (state is State.SUCCEEDED)
            if state in FINAL:
                self._family_is_over(job_id, rows, just_now=before.state not in FINAL)
        self._within_limits(list(held_by.values()))
        self.promised = self.run(self.desk.jobs(rows))

    def _family_is_over(self, parent: int, rows: dict[int, Any], *, just_now: bool) -> None:
        """A parent ends last; a failed child may be resumed after that."""
        if just_now:
            assert all(r["state"] in ENDED for r in rows.values() if r["parent_id"] == parent)

    def _within_limits(self, held_by: list[dict[str, Any]]) -> None:
        held = _held({row["job_id"]: row["claims"] for row in held_by})
        for resource in held.resources():
            holding = held.of(resource)
            assert not holding.exclusive or len(holding.units) == 1
            assert holding.used <= LIMITS.get(resource, holding.used)

    async def _nothing_startable_waits(self) -> None:
        """Each pending job is told a reason, and none that a worker has a place for it: it would have got it."""
        told = await self.desk.told(FOR_EVER)
        for job_id, reasons in told.items():
            assert reasons, f"job {job_id} waits and nothing says why"
            assert "a worker has a place free" not in reasons[0].text, f"job {job_id} could run and waits"


def _held(claims: dict[int, str]) -> Held:
    held = Held()
    for job, found in claims.items():
        held.take(job, leases.claims_of(found))
    return held


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def _on_sqlite(template: Path) -> type[Life]:
    class OnSqlite(Life):
        def make_database(self) -> str:
            self.folder = Path(tempfile.mkdtemp(prefix="jobdeck-life-"))
            shutil.copy(template, self.folder / "jobdeck.db")
            return f"sqlite+aiosqlite:///{self.folder / 'jobdeck.db'}"

        def drop_database(self) -> None:
            shutil.rmtree(self.folder, ignore_errors=True)

    return OnSqlite


def _on_postgres(template: str) -> type[Life]:
    class OnPostgres(Life):
        def make_database(self) -> str:
            self.name = f"life_{uuid.uuid4().hex[:12]}"
            with psycopg.connect(template, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {self.name} TEMPLATE {TEMPLATE}")
            return address(template, self.name)

        def drop_database(self) -> None:
            with psycopg.connect(template, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {self.name} WITH (FORCE)")

    return OnPostgres


@pytest.fixture(params=["sqlite", "postgres"])
def life(request: pytest.FixtureRequest) -> type[Life]:
    """The machine on one of the databases."""
    if request.param == "sqlite":
        return _on_sqlite(request.getfixturevalue("sqlite_template"))
    return _on_postgres(request.getfixturevalue("postgres_template"))


def test_lives_rule_by_rule(life: type[Life]) -> None:
    """Grown and shrunk by Hypothesis: the shortest story that breaks a fact."""
    run_state_machine_as_test(life, settings=_settings(5, 25))


def test_busy_lives(life: type[Life]) -> None:
    """Long dense stories; a failing one is replayed by its seed."""

    @settings(_settings(4, 1))
    @given(st.integers(0, 2**32))
    def live(seed: int) -> None:
        chance, machine = Random(seed), life()
        machine.open()
        try:
            for _ in range(8):
                machine.busy_hour(chance.randrange(2**32))
        finally:
            machine.teardown()

    live()
