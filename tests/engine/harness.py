"""A whole engine in the test's process: leader, scheduler, duties, recorder, log shipper and workers."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, select

from jobdeck.core.environment import Environment
from jobdeck.core.jobtype import JobType
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.waiting import WaitingFor
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.control import Control, Result
from jobdeck.engine.duties.expire_leases import ExpireLeases
from jobdeck.engine.duties.resume_paused import resume_paused
from jobdeck.engine.feed import Feed
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.hooks import HookProcesses
from jobdeck.engine.log_store import LogStore
from jobdeck.engine.logs import LogEntry
from jobdeck.engine.loops import Loop, Loops, RepeatedLoop
from jobdeck.engine.scheduling.scheduler import Leadership, Scheduler
from jobdeck.engine.scheduling.world import explain
from jobdeck.engine.submitting.submit import Submission, Submitter
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.engine.worker.recorder import Recorder
from jobdeck.engine.worker.worker import WorkerParts, WorkerService
from jobdeck.executors.choose import ByIsolation
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.threads import ThreadExecutor
from jobdeck.storage.blobs import Blobs
from jobdeck.store import limits, pauses, projects
from jobdeck.store.access import principals
from jobdeck.store.running.workers import StoredWorker
from jobdeck.store.schema import jobs as jobs_table
from jobdeck.store.schema import leases, steps, tasks
from jobdeck.store.sql.clock import Clock
from jobdeck.store.sql.database import Connection, Database, Tx
from jobdeck.store.sql.events import StoredEvent, read_after
from jobdeck.store.sql.statements import driver_of
from tests.engine.scripted import LONG, SCRIPTS, TYPES, Gate, Script

PROJECT_LIMIT = 10


def registered(types: Iterable[type[JobType]]) -> list[RegisteredType]:
    return [RegisteredType(t.type_name(), f"{t.__module__}:{t.__qualname__}", t) for t in types]


class Ahead(Clock):
    """The database's clock, so many seconds ahead: it can be set while everything runs."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    async def now(self, connection: Connection) -> int:
        return await driver_of(connection).now(connection) + int(self.seconds * 1_000_000)


@dataclass
class Hand:
    """One worker with what it works with."""

    service: WorkerService
    executor: ByIsolation
    recorder: Recorder
    shipper: LogShipper
    services: Loops

    @property
    def id(self) -> str:
        return self.service.me.id


@dataclass
class Engine:
    """The parts, and short words for what tests do with them."""

    database: Database
    home: Path
    registry: TypeRegistry
    project_id: int
    principal: int
    lease_seconds: float = 10.0
    hands: list[Hand] = field(default_factory=list)
    other_projects: dict[str, int] = field(default_factory=dict)
    environment_error: Exception | None = None
    hooks: HookProcesses | None = None
    undo_seconds: float = 3600.0

    def __post_init__(self) -> None:
        self.blobs = Blobs((self.home / "storage").as_uri())
        self.logs = LogStore(self.blobs)
        self.garbage = GarbageCollector(self.database, self.blobs)
        self.control = Control(self.database, self.garbage)
        self.submitter = Submitter(self.database, self.registry, self.environment, self.hooks)
        self.feed = Feed(self.database)
        self.leadership = Leadership(self.database, "test")
        self.scheduler = Scheduler(
            self.database, self.leadership, project_limit=PROJECT_LIMIT, lease_seconds=self.lease_seconds
        )
        self.expire_leases = ExpireLeases(self.database, self.leadership, self.lease_seconds)
        self._scheduling = Loops([self.leadership])
        self._deciding = Loops([self.scheduler, *self._duties()])

    def _duties(self) -> list[Loop]:
        return [
            RepeatedLoop("expire", 0.2, self.expire_leases),
            RepeatedLoop("resume", 0.2, partial(resume_paused, self.database, self.leadership, self.control)),
        ]

    async def environment(self, project: str) -> Environment:
        if self.environment_error is not None:
            raise self.environment_error
        return Environment(project=project, storage_url=(self.home / "storage").as_uri(), work_dir=str(self.home))

    async def start(self) -> None:
        await self._scheduling.start()
        async with asyncio.timeout(LONG):
            await self.leadership.changed.wait()
        await self._deciding.start()

    async def hire(
        self, slots: int = 2, light: int = 20, types: Iterable[str] | None = None, registry: TypeRegistry | None = None,
        database: Database | None = None, parallel: int = 4,
    ) -> Hand:  # fmt: skip
        """One more worker; it has joined when this returns."""
        database = database or self.database
        known = registry or self.registry
        me = StoredWorker(
            uuid.uuid4().hex, f"w{len(self.hands) + 1}", "here", 1, slots, light,
            tuple(known.enabled_names() if types is None else types), "0",
        )  # fmt: skip
        executor = ByIsolation({
            "process": ProcessExecutor(max(1, slots)),
            "thread": ThreadExecutor(max(1, light)),
            # Scripts are played in this process; with `hooks`, all is as on a real worker.
            "aside": ThreadExecutor(4) if self.hooks is None else ProcessExecutor(2),
        })  # fmt: skip
        recorder, shipper = Recorder(database), LogShipper(self.blobs, self.home)
        parts = WorkerParts(
            database, known, self.environment, executor, recorder, shipper, self.lease_seconds, parallel,
            hooks=self.hooks, undo_seconds=self.undo_seconds,
        )  # fmt: skip
        service = WorkerService(me, parts)
        hand = Hand(service, executor, recorder, shipper, Loops([recorder, shipper, service]))
        self.hands.append(hand)
        await hand.services.start()
        await self.until_event("worker.joined", lambda e: e.data["worker"] == me.id)
        return hand

    async def fire(self, hand: Hand) -> None:
        self.hands.remove(hand)
        await hand.services.stop()

    async def stop(self) -> None:
        for script in SCRIPTS.values():
            for gate in script.gates.values():
                gate.opened.set()
        for hand in list(self.hands):
            await self.fire(hand)
        await self._deciding.stop()
        await self._scheduling.stop()

    # What people do.

    async def submit(self, type_name: str = "scripted", /, project: str = "default", **params: Any) -> int:
        return await self.submit_with(type_name, params, project=project)

    def submission(
        self, type_name: str, params: Mapping[str, Any], *, project: str = "default", **facts: Any
    ) -> Submission:
        project_id = self.project_id if project == "default" else self.other_projects[project]
        return Submission(type_name, params, project_id, project, self.principal, **facts)

    async def submit_with(self, type_name: str, params: Mapping[str, Any], **facts: Any) -> int:
        (job,) = await self.submit_all(self.submission(type_name, params, **facts))
        return job

    async def submit_all(self, *wanted: Submission, **facts: Any) -> list[int]:
        return await self.submitter.submit(wanted, actor="me", principal_id=self.principal, **facts)

    async def operate(self, operation: Operation, *ids: int, **facts: Any) -> list[Result]:
        return await self.control.operate(ids, operation, actor="me", **facts)

    async def done(self, operation: Operation, job: int, **facts: Any) -> Result:
        """Operate, and nothing was refused."""
        (result,) = await self.operate(operation, job, **facts)
        if result.error is not None:
            raise result.error
        return result

    async def set_limit(self, resource: str, capacity: int | None) -> None:
        async def work(tx: Tx) -> None:
            if capacity is None:
                await limits.clear(tx, resource, None, "me")
            else:
                await limits.put(tx, resource, None, capacity, "me")

        await self.database.transact(work)

    async def pause_scope(self, scope: str, reason: str | None = None) -> None:
        await self.database.transact(lambda tx: pauses.put(tx, scope, "me", reason))

    async def resume_scope(self, scope: str) -> None:
        await self.database.transact(lambda tx: pauses.clear(tx, scope, "me"))

    async def add_project(self, name: str, weight: float = 1.0) -> None:
        made = await self.database.transact(lambda tx: projects.create(tx, name, name, weight, "me"))
        self.other_projects[name] = made.id

    # What there is to see.

    async def job(self, job: int) -> RowMapping:
        async with self.database.read() as connection:
            return (await connection.execute(select(jobs_table).where(jobs_table.c.id == job))).mappings().one()

    async def rows(self, query: Any) -> list[RowMapping]:
        async with self.database.read() as connection:
            return list((await connection.execute(query)).mappings())

    async def steps(self, job: int) -> list[RowMapping]:
        query = select(steps).where(steps.c.job_id == job).order_by(steps.c.attempt, steps.c.index)
        return await self.rows(query)

    async def tasks(self, job: int) -> list[RowMapping]:
        query = select(tasks).where(tasks.c.job_id == job)
        return await self.rows(query.order_by(tasks.c.attempt, tasks.c.step_index, tasks.c.index))

    async def leased(self) -> set[int]:
        return {row["job_id"] for row in await self.rows(select(leases.c.job_id))}

    async def lease(self, job: int) -> RowMapping | None:
        found = await self.rows(select(leases).where(leases.c.job_id == job))
        return found[0] if found else None

    async def state(self, job: int) -> str:
        return str((await self.job(job))["state"])

    async def states(self, *ids: int) -> list[str]:
        return [await self.state(job) for job in ids]

    async def events(self, job: int | None = None, after: int = 0) -> list[StoredEvent]:
        async with self.database.read() as connection:
            return await read_after(connection, after, 100_000, job=job)

    async def kinds(self, job: int) -> list[str]:
        return [e.kind for e in await self.events(job)]

    async def reasons(self, job: int) -> list[WaitingFor]:
        query = select(jobs_table, (await self._project_name()).label("project")).where(jobs_table.c.id == job)
        async with self.database.read() as connection:
            rows = list((await connection.execute(query)).mappings())
            now = await self.database.clock.now(connection)
            return (await explain(connection, rows, now, PROJECT_LIMIT))[job]

    async def _project_name(self) -> Any:
        from jobdeck.store.schema import projects as table

        return select(table.c.name).where(table.c.id == jobs_table.c.project_id).scalar_subquery()

    async def log(self, job: int, attempt: int = 1) -> list[str]:
        return [line.text for line in await whole_log(self.logs, job, attempt)]

    # Waiting.

    async def until(self, job: int, *states: str) -> RowMapping:
        """Wait for the job to be in one of `states`; its row."""

        async def there() -> RowMapping | None:
            row = await self.job(job)
            return row if row["state"] in states else None

        found: RowMapping = await self.true(there, lambda: self._told(job, states))
        return found

    async def _told(self, job: int, states: tuple[str, ...]) -> str:
        row = await self.job(job)
        kinds = await self.kinds(job)
        return f"job {job} is {row['state']} and not {states}: {row['error_message']} {kinds}"

    async def true(
        self, there: Callable[[], Awaitable[Any]], otherwise: Callable[[], Awaitable[str]] | None = None
    ) -> Any:
        """Wait until `there` answers something; it is asked again whenever something was committed."""
        wakeup = self.database.wakeups.subscribe()
        end = time.monotonic() + LONG
        try:
            while not (found := await there()):
                if time.monotonic() > end:
                    raise AssertionError(await otherwise() if otherwise else "it did not come true")
                await wakeup.wait(0.05)
            return found
        finally:
            wakeup.close()

    async def until_event(self, kind: str, fits: Callable[[StoredEvent], bool] = lambda _: True) -> StoredEvent:
        async def there() -> StoredEvent | None:
            return next((e for e in await self.events() if e.kind == kind and fits(e)), None)

        found: StoredEvent = await self.true(there)
        return found

    async def waits_for(self, job: int, reason: str) -> WaitingFor:
        """Wait until the job waits for `reason`; the first such reason."""

        async def there() -> WaitingFor | None:
            return next((r for r in await self.reasons(job) if r.reason == reason), None)

        async def told() -> str:
            return f"{await self.reasons(job)} {await self._told(job, ())}"

        found: WaitingFor = await self.true(there, told)
        return found

    async def settled(self) -> None:
        """The scheduler has taken in all that happened and decided."""
        from jobdeck.store.sql.events import last_id

        async def caught_up() -> bool:
            async with self.database.read() as connection:
                last = await last_id(connection)
            return self.scheduler._cursor >= last

        await self.true(caught_up)


async def reached(gate: Gate) -> None:
    """A job has come to the gate."""
    assert await asyncio.to_thread(gate.reached.wait, LONG), "no job came to the gate"


async def at_gate(
    engine: Engine, place: str, type_name: str = "scripted", *, heeds_stop: bool = True, **params: Any
) -> tuple[int, Gate, Script]:
    """A job that has come to a place of its script and waits there; its gate, and its script."""
    plot = script()
    gate = plot.hold(place, heeds_stop=heeds_stop)
    job = await engine.submit(type_name, key=plot.key, **params)
    await reached(gate)
    return job, gate, plot


async def asked(gate: Gate) -> None:
    """The job at the gate, which does not heed it, knows that it is to stop."""
    assert await asyncio.to_thread(gate.asked.wait, LONG), "the job was not asked to stop"


async def whole_log(logs: LogStore, job: int, attempt: int = 1) -> list[LogEntry]:
    """All lines that the storage has, as one who reads on and on gets them."""
    found: list[LogEntry] = []
    after: str | None = None
    while True:
        portion = await logs.ahead(job, attempt, after=after, limit=100_000)
        found += portion.lines
        if not portion.more:
            return found
        after = portion.next


def script(key: str | None = None) -> Script:
    """A new script; its key goes into the job's parameters."""
    made = Script(key or uuid.uuid4().hex)
    SCRIPTS[made.key] = made
    return made


@asynccontextmanager
async def running(
    url: str, home: Path, *, types: Iterable[type[JobType]] = (), lease_seconds: float = 10.0, workers: int = 1,
    ahead: Ahead | None = None, hooks: HookProcesses | None = None, undo_seconds: float = 3600.0, **hired: Any,
) -> AsyncIterator[Engine]:  # fmt: skip
    """An engine over the (migrated) database at `url`, with its workers; stopped at the end, and so are `hooks`."""
    database = Database(url, clock=ahead)

    async def prepare(tx: Tx) -> tuple[int, int]:
        return (await projects.ensure_default(tx)).id, await principals.ensure(tx, "me")

    project_id, principal = await database.transact(prepare)
    registry = TypeRegistry(registered([*TYPES, *types]))
    engine = Engine(
        database, home, registry, project_id, principal, lease_seconds, hooks=hooks, undo_seconds=undo_seconds
    )
    await engine.start()
    try:
        for _ in range(workers):
            await engine.hire(**hired)
        yield engine
    finally:
        await engine.stop()
        if hooks is not None:
            await hooks.aclose()
        await database.close()
