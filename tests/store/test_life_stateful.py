"""Random lives of many jobs on a real database: two schedulers, workers that die or come late, people, clock jumps.

A small model remembers what was promised; after every rule the whole database is checked against the facts. Fifty times
as many stories as in the suite: `pytest tests/store/test_life_stateful.py --hypothesis-profile=long --timeout=0`."""

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
from jobdeck.core.life.waiting import Waiting, is_suspect, obstacles
from jobdeck.engine.control import Control
from jobdeck.engine.scheduling.world import Snapshot
from jobdeck.store import limits, pauses
from jobdeck.store.running import leases
from jobdeck.store.running.leases import RUN, Pick
from jobdeck.store.scheduling import due, families
from jobdeck.store.sql.database import Tx
from tests.store.conftest import TEMPLATE, address
from tests.store.desk import LEASE, Desk, NoContent, new_job
from tests.store.life_scheduler import Scheduler

T = TypeVar("T")
ERROR = ErrorInfo("bad", "bad")
LIMITS = {"project:p": 5, "project:p/x": 2, "type:b": 2}
SECONDS = 1_000_000
FOR_EVER = 10.0**9
CLAIMS = (Claim("x"), Claim("x", 2), Claim.exclusive("x"), Claim("y"), Claim.exclusive("y"))
SCOPES = ("instance", "project:p", "type:a")
LIKELY = {
    "people": 12, "lead": 3, "schedule": 8, "work": 4, "leave": 5, "time": 2, "silent": 1, "look after": 2, "renew": 1,
}  # fmt: skip
"""How often each thing happens in a busy hour."""
PEOPLE = {"submit": 5, "operate": 4, "prioritize": 1, "limit": 1, "hold back": 1}
chosen = st.integers(0, 10_000)
"""Picks one of the things that are there, whatever their number."""


class Life(RuleBasedStateMachine):
    """The rules; every one of them is something that may happen at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stay: Any = None
        self.promised: dict[int, Job] = {}
        """Jobs that were accepted and not deleted, as they were last seen."""
        self.limits = dict(LIMITS)
        self.used: dict[str, int] = {}
        """What was held of each resource when it was last looked at: a limit may be lowered below that."""
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
            self.limit(resource, capacity)

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
    @rule(which=chosen, operation=st.sampled_from(Operation), until=st.sampled_from([None, 5]))
    def operate(self, which: int, operation: Operation, until: int | None = None) -> None:
        """`until`: who is paused is to go on by itself after so many seconds."""
        job_id = sorted(self.promised)[which % len(self.promised)]
        at = None if until is None or operation is not Operation.PAUSE else self.desk.clock.time + until * SECONDS
        (result,) = self.run(self.desk.operate(operation, job_id, resume_at=at))
        if operation is Operation.DELETE and result.changed:
            doomed = {job_id}
            while more := {j.id for j in self.promised.values() if j.parent_id in doomed} - doomed:
                doomed |= more
            assert all(self.promised[i].state in ENDED for i in doomed)
            self.promised = {i: j for i, j in self.promised.items() if i not in doomed}

    @precondition(lambda self: self.promised)
    @rule(which=chosen, priority=st.integers(0, 9))
    def prioritize(self, which: int, priority: int) -> None:
        control = Control(self.desk.database, NoContent())  # type: ignore[arg-type]
        self.run(control.set_priority(sorted(self.promised)[which % len(self.promised)], priority, actor="ann"))

    @rule(resource=st.sampled_from([*LIMITS]), capacity=st.sampled_from([None, 0, 1, 2, 5]))
    def limit(self, resource: str, capacity: int | None) -> None:
        """Jobs that hold more already go on."""

        async def work(tx: Tx) -> None:
            if capacity is None:
                await limits.clear(tx, resource, None, "ann")
            else:
                await limits.put(tx, resource, None, capacity, "ann")

        self.run(self.desk.database.transact(work))
        self.limits = {r: c for r, c in {**self.limits, resource: capacity}.items() if c is not None}

    @rule(scope=st.sampled_from(SCOPES), held=st.booleans())
    def hold_back(self, scope: str, held: bool) -> None:
        async def work(tx: Tx) -> None:
            await (pauses.put(tx, scope, "ann", None) if held else pauses.clear(tx, scope, "ann"))

        self.run(self.desk.database.transact(work))

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
        sight, rows = self.run(scheduler.sight()), self.run(self.desk.rows("jobs"))
        try:
            picks = self.run(scheduler.assign())
        except NotLeader:
            assert not leads
            return
        assert leads or not picks
        self._had_no_obstacle(picks, sight, {row["id"]: row for row in rows})
        self.holders += self.run(self.desk.jobs(p.job for p in picks)).values()
        if follows and leads:
            self.run(self._nothing_startable_waits(scheduler))

    def _had_no_obstacle(self, picks: list[Pick], sight: Snapshot, rows: dict[int, dict[str, Any]]) -> None:
        """At the moment of the decision, by the database, and by limits and pauses as its scheduler knew them."""
        for pick in picks:
            row, claims = rows[pick.job], leases.claims_of(pick.claims)
            if pick.purpose == RUN:
                family = () if row["waits_for_children"] else None
                facts = Waiting(pick.job, "p", row["type"], claims, row["not_before"], family)
                assert row["state"] == State.PENDING
                assert list(obstacles(facts, sight, self.desk.clock.time)) == [], f"job {pick.job} was started"
                assert sight.slots.has_free(row["type"], row["isolation"])
            sight.held.take(pick.job, claims)
            sight.slots.take(pick.job, pick.worker_id, row["isolation"])

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
            return
        self.run(self._resume())

    async def _resume(self) -> None:
        """Those whose time to go on has come: all of them, and nobody else."""
        now, rows = self.desk.clock.time, await self.desk.rows("jobs")
        async with self.desk.database.read() as connection:
            ids = await due.to_resume(connection, now)
        paused = [row for row in rows if row["state"] == State.PAUSED and row["resume_at"] is not None]
        assert ids == [row["id"] for row in paused if row["resume_at"] <= now]
        assert all(result.changed for result in await self.desk.operate(Operation.RESUME, *ids))

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
            case "people":
                self._someone(chance, which)
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

    def _someone(self, chance: Random, which: int) -> None:
        (what,) = chance.choices([*PEOPLE], [*PEOPLE.values()])
        match what:
            case "operate" if self.promised:
                self.operate(which, chance.choice([*Operation]), chance.choice([None, 5]))
            case "prioritize" if self.promised:
                self.prioritize(which, chance.randint(0, 9))
            case "limit":
                self.limit(chance.choice([*LIMITS]), chance.choice([None, 0, 1, 2, 5]))
            case "hold back":
                held = chance.choice([*SCOPES, None, None])
                for scope in SCOPES:
                    self.hold_back(scope, scope == held)
            case _:
                wanted = chance.choices(CLAIMS, k=chance.randint(0, 2))
                parent = chance.choice([None, None, which])
                self.submit(wanted, chance.choice("ab"), parent, chance.choice([*ChildPolicy]), None, 2)

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
            assert row["resume_at"] is None or state in (State.PAUSED, State.PAUSING)
            if state in FINAL:
                self._family_is_over(job_id, rows, just_now=before.state not in FINAL)
        self._within_limits(list(held_by.values()))
        self.promised = self.run(self.desk.jobs(rows))

    def _family_is_over(self, parent: int, rows: dict[int, Any], *, just_now: bool) -> None:
        """A parent ends last; a failed child may be resumed after that."""
        if just_now:
            assert all(r["state"] in ENDED for r in rows.values() if r["parent_id"] == parent)

    def _within_limits(self, held_by: list[dict[str, Any]]) -> None:
        """A limit that was lowered, or that its scheduler did not know of yet, takes nothing away."""
        held = _held({row["job_id"]: row["claims"] for row in held_by})
        for resource in held.resources():
            holding = held.of(resource)
            assert not holding.exclusive or len(holding.units) == 1
            known = [s.index.capacities.of(resource) for s in self.schedulers]
            most = [10**9 if limit is None else limit for limit in (self.limits.get(resource), *known)]
            assert holding.used <= max(*most, self.used.get(resource, 0))
        self.used = {resource: held.of(resource).used for resource in held.resources()}

    async def _nothing_startable_waits(self, leader: Scheduler) -> None:
        """Each pending job is told a reason, and none that a worker has a place for it: it would have got it.

        But for where one runs alone that got on since it began: the scheduler goes by what it was then, for a while."""
        told = await self.desk.told(FOR_EVER)
        losses = {row["id"]: row["losses"] for row in await self.desk.rows("jobs")}
        cleared = [job for job in leader.index.slots.alone() if not is_suspect(losses.get(job, 0))]
        for job_id, reasons in told.items():
            assert reasons, f"job {job_id} waits and nothing says why"
            free = "a worker has a place free" in reasons[0].text
            assert not free or cleared, f"job {job_id} could run and waits"


def _held(claims: dict[int, str]) -> Held:
    held = Held()
    for job, found in claims.items():
        held.take(job, leases.claims_of(found))
    return held


def _settings(examples: int, steps: int) -> settings:
    """Of a profile with more examples than usual, accordingly more."""
    more = max(1, settings().max_examples // 100)
    return settings(
        max_examples=examples * more, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck),
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


def test_places_kept_for_a_suspect_are_not_told_to_be_free(life: type[Life]) -> None:
    """A story that broke a fact: jobs whose workers were silent twice begin apart, one on each worker, others wait."""
    machine = life()
    machine.open()
    try:
        machine.busy_hour(120)
        machine.busy_hour(100)
        machine.workers_are_silent(0)
        told = machine.run(machine.desk.told(FOR_EVER))
        kept = [job for job, reasons in told.items() if "are kept for a while" in reasons[0].text]
        assert kept == [7, 8]
    finally:
        machine.teardown()


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
