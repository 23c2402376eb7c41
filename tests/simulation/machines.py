"""The machines of the world: servers that schedule and answer people, workers that run jobs, of real parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jobdeck.core.environment import Environment
from jobdeck.engine.control import Control
from jobdeck.engine.duties import expire_leases, mark_dead, resume_paused, sweep
from jobdeck.engine.duties.prune import Prune, Retention
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.log_store import LogStore
from jobdeck.engine.logs import LogEntry
from jobdeck.engine.loops import Loop, Loops, RepeatedLoop
from jobdeck.engine.scheduling.scheduler import Leadership, Scheduler
from jobdeck.engine.submitting.submit import Submitter
from jobdeck.engine.worker.job_log import JobLog
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.engine.worker.recorder import Recorder
from jobdeck.engine.worker.worker import WorkerParts, WorkerService
from jobdeck.store.running.workers import StoredWorker
from tests.simulation.database import SimulatedDatabase, SimulatedWakeups
from tests.simulation.executor import SimulatedExecutor
from tests.simulation.guarantees import KEPT
from tests.simulation.scripts import REGISTRY, TYPES
from tests.simulation.virtual_time import Fate, Machine

if TYPE_CHECKING:
    from tests.simulation.world import World


class _NoLog(JobLog):
    """A log that nobody reads."""

    def __init__(self) -> None:
        self.lost = None

    def write(self, line: LogEntry) -> None: ...


class _NoLogs(LogShipper, LogStore):
    """Logs go to files and object storage, which is another story."""

    def __init__(self) -> None: ...

    def open(self, job: int, attempt: int, epoch: int) -> JobLog:
        return _NoLog()

    async def close(self, job_log: JobLog) -> None: ...


class _NoContent(GarbageCollector):
    """So is what jobs leave there."""

    def __init__(self) -> None: ...

    async def collect(self, ids: Sequence[int]) -> None: ...


class Node(Machine):
    """A machine with parts of the engine on it."""

    def __init__(self, world: World, name: str, *, serves: bool, works: bool, picky: bool) -> None:
        super().__init__(name)
        self.world = world
        self.serves, self.works = serves, works
        self._picky = picky
        self.snare: Callable[[], None] | None = None
        """What happens when it next begins a transaction, or when one has just been committed."""
        self.ambush: tuple[str, Callable[[], None]] | None = None
        """The name of a service, and what happens when that next begins to write: it has decided by then."""
        self.followed = 0
        self.followed_at = 0.0
        """When (loop time) its scheduler last began to read what happened: what it decides, it decides later."""
        self.latest = 0
        self.disturbed = 0.0
        """When (loop time) last something went wrong here: it needs a moment to know everything again."""
        self.worker: WorkerService | None = None
        self.executor: SimulatedExecutor | None = None
        self.scheduler: Scheduler | None = None
        self.leadership: Leadership | None = None
        self.recorder: Recorder | None = None
        self.stop: asyncio.Event = asyncio.Event()
        self.wakeups = SimulatedWakeups(partial(world.spread_wakeup, self))
        self.database = SimulatedDatabase(world.clock, self.wakeups)
        self.control = Control(self.database, _NoContent())
        self.submitter = Submitter(self.database, REGISTRY, self._environment)
        self.task = world.loop.spawn(self, self._main())

    @property
    def up(self) -> bool:
        return self.fate is Fate.ALIVE and not self.stop.is_set()

    @property
    def leads(self) -> bool:
        return self.up and self.leadership is not None and self.leadership.current is not None

    async def _main(self) -> None:
        parts: list[Loop] = [*(self._working() if self.works else []), *(self._scheduling() if self.serves else [])]
        services = Loops(parts)
        await services.start()
        stopping = asyncio.ensure_future(self.stop.wait())
        broken = asyncio.ensure_future(services.one_died.wait())
        await asyncio.wait({stopping, broken}, return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            ended = {name: state.last_error for name, state in services.states.items() if state.last_error}
            self.world.broken(f"a service of {self.name} ended by itself: {ended}")
        broken.cancel()
        await services.stop()
        self.world.left(self)

    def _scheduling(self) -> list[Loop]:
        """As wiring puts them together."""
        database = self.database
        self.leadership = leadership = Leadership(database, self.name)
        self.scheduler = Scheduler(
            database, leadership, project_limit=self.world.plan.project_limit, lease_seconds=self.world.plan.lease
        )
        return [
            *(self._tidying(leadership) if self.world.plan.tidies else []),
            leadership,
            self.scheduler,
            RepeatedLoop(
                "expire_leases",
                expire_leases.EVERY,
                expire_leases.ExpireLeases(database, leadership, self.world.plan.lease),
            ),
            RepeatedLoop(
                "resume_paused",
                resume_paused.EVERY,
                partial(resume_paused.resume_paused, database, leadership, self.control),
            ),
            RepeatedLoop(
                "mark_dead_workers",
                mark_dead.EVERY,
                partial(mark_dead.mark_dead_workers, database, leadership),
            ),
        ]

    def _tidying(self, leadership: Leadership) -> list[Loop]:
        """Duties that look once in a minute or an hour, in a hurry."""
        retention = Retention(jobs=KEPT / 86_400, events=None)
        prune = Prune(self.database, leadership, self.control, retention, _NoContent())
        return [
            RepeatedLoop("prune", 1.0, prune),
            RepeatedLoop("sweep", 1.0, partial(sweep.sweep, self.database, leadership, self.world.guarantees.sweep)),
        ]

    def _working(self) -> list[Loop]:
        world, plan = self.world, self.world.plan
        self.recorder = Recorder(self.database)
        slots = world.random.randint(1, 4)
        self.executor = self.context.run(self._executor, slots)
        types = ("plain", "dirty") if self._picky else tuple(TYPES)
        me = StoredWorker(world.unique(self.name), self.name, "host", 1, slots, world.random.randint(1, 3), types, "1")
        parts = WorkerParts(
            self.database, REGISTRY, self._environment, self.executor, self.recorder, _NoLogs(), plan.lease, 3, _here
        )
        self.worker = WorkerService(me, parts)
        return [self.recorder, self.worker]

    async def _environment(self, project: str) -> Environment:
        """As the real one it asks the database."""
        await self.database.now()
        return Environment(project=project)

    def _executor(self, slots: int) -> SimulatedExecutor:
        world = self.world
        return SimulatedExecutor(world.loop, world.guarantees, world.life, world.random, slots + 3)

    def idle(self) -> str | None:
        """What the machine still has in hand although there should be nothing, in words."""
        in_hand: dict[str, Any] = {}
        if self.worker is not None and self.worker._job_runs:
            in_hand["stays"] = list(self.worker._job_runs)
        if self.recorder is not None and self.recorder._queue:
            in_hand["records"] = len(self.recorder._queue)
        return f"{self.name} has {in_hand}" if in_hand else None


def _here(service: Loop) -> Loop:
    """Leases are renewed in the loop of virtual time as well."""
    return service
