"""The scheduler: one of the servers leads, the others stand by and take over when its lease runs out. The leader
follows the database's events, keeps the index, decides in batches, assigns in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from jobdeck.core.claims import Claim
from jobdeck.core.errors import NotLeader, Unavailable
from jobdeck.core.life.states import ENDED, State
from jobdeck.engine.loops import Backoff, first_of, sleep_unless
from jobdeck.engine.scheduling.index import QueueIndex
from jobdeck.engine.scheduling.world import Capacities
from jobdeck.store.running import leases, workers
from jobdeck.store.scheduling import families, leadership, queue
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.scheduling.queue import QueuedJob
from jobdeck.store.sql import events
from jobdeck.store.sql.database import Connection, Database
from jobdeck.store.sql.wakeups import SCHEDULER

log = structlog.get_logger(__name__)

BATCH = 1000
POLL_SECONDS = 1.0
LEASE_SECONDS = 10.0
_FINAL_KINDS = frozenset({"succeeded", "canceled"})
_JOB_KINDS_WITHOUT_CHANGE = frozenset(
    {"step.succeeded", "step.failed", "task.failed", "task.warned", "step.skipped", "step.canceled"}
)


LEAD_SECONDS = 6.0
RENEW_SECONDS = 2.0


class Leadership:
    """A loop that tries to lead; `current` is the lead it holds now, None while another one leads."""

    name = "leadership"

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self.holder = holder
        self._leader: Leader | None = None
        self._until = 0.0
        self.changed = asyncio.Event()

    @property
    def current(self) -> Leader | None:
        """What it may act on: forgotten before the lease in the database runs out."""
        return self._leader if asyncio.get_running_loop().time() < self._until else None

    @property
    def known(self) -> Leader | None:
        """As `current`, for loops. Raises `Unavailable` when the lead ran out and the database has not said yet who
        leads now: a loop that stands by for that reason has not recovered."""
        leader = self.current
        if leader is None and self._leader is not None:
            raise Unavailable("The lead ran out, and the database has not said who leads now.")
        return leader

    async def run(self, stop: asyncio.Event) -> None:
        backoff = Backoff(self.name)
        while not stop.is_set():
            asked = asyncio.get_running_loop().time()
            try:
                self._take(await leadership.try_lead(self._database, self.holder, LEAD_SECONDS), asked)
                backoff.succeeded()
            except Exception as error:  # noqa: BLE001  (standing by must go on whatever happens)
                backoff.failed(error)
            await sleep_unless(stop, RENEW_SECONDS)
        await self._step_down()

    def lost(self) -> None:
        """A decision was refused: another one leads."""
        self._take(None, 0.0)

    def _take(self, leader: Leader | None, asked: float) -> None:
        self._until = asked + LEAD_SECONDS - 1.0
        if leader != self._leader:
            log.info("leadership", holder=self.holder, leads=leader is not None, epoch=leader.epoch if leader else None)
            self._leader = leader
            self.changed.set()

    async def _step_down(self) -> None:
        """Without the database the others wait until the lease runs out."""
        leader, self._leader = self._leader, None
        if leader is None:
            return
        try:
            await leadership.step_down(self._database, leader)
        except Unavailable as error:
            log.warning("stepped_down_without_word", error=str(error))


class Scheduler:
    """A loop; works while it leads and stands by otherwise."""

    name = "scheduler"

    def __init__(
        self,
        database: Database,
        leadership: Leadership,
        *,
        project_limit: int | None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._database = database
        self._leadership = leadership
        self._project_limit = project_limit
        self._lease_seconds = lease_seconds
        self._index: QueueIndex | None = None
        self._leader: Leader | None = None
        self._cursor = 0
        self._looked = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        wakeup = self._database.wakeups.subscribe(SCHEDULER)
        backoff = Backoff(self.name)
        try:
            while not stop.is_set():
                try:
                    again = await self.turn()
                    backoff.succeeded()
                    if not again:
                        await first_of(wakeup.wait(self._patience()), stop)
                except NotLeader:
                    self._leadership.lost()
                    self._index = None
                except Exception as error:  # noqa: BLE001  (scheduling must go on; the index is rebuilt)
                    self._index = None
                    await sleep_unless(stop, backoff.failed(error))
        finally:
            wakeup.close()

    async def turn(self) -> bool:
        """Follow what happened, then decide and assign once; whether there may be more to do at once."""
        leader = self._leadership.known
        if leader is None:
            self._index = None
            return False
        if self._index is None or leader != self._leader:
            await self._take_over(leader)
        followed = await self._follow(leader)
        assigned = await self._assign(leader)
        return followed or assigned

    def waiting(self) -> int:
        """Jobs in the index that wait; 0 while standing by."""
        return self._index.waiting() if self._index else 0

    async def _take_over(self, leader: Leader) -> None:
        """Build the index from the database as it is now."""
        index = QueueIndex(Capacities(self._project_limit))
        async with self._database.read(often=True) as connection:
            self._cursor = await events.last_id(connection)
            await self._load_small_tables(connection, index)
            held = await leases.held(connection)
            parents: set[int] = set()
            after = None
            while batch := await queue.open_jobs(connection, after, 5000):
                after = batch[-1]
                for job in batch:
                    _place(index, job, held)
                parents |= _families(batch)
        self._index, self._leader = index, leader
        await self._settle_families(leader, parents)
        log.info("scheduler_leads", epoch=leader.epoch, waiting=index.waiting(), leased=len(held))

    async def _load_small_tables(self, connection: Connection, index: QueueIndex) -> None:
        index.set_projects(await queue.project_weights(connection))
        index.paused = await queue.paused(connection)
        await self._look_at_workers(connection, index)
        for resource in index.capacities.replace(await queue.capacities(connection)):
            index.unblock(resource, everyone=True)

    async def _look_at_workers(self, connection: Connection, index: QueueIndex) -> None:
        """A worker that is about to lose its leases gets nothing more: it beats four times in the life of a lease."""
        silent = await self._database.clock.now(connection) - int(self._lease_seconds * 750_000)
        index.slots.replace(await workers.alive(connection, silent))
        self._looked = asyncio.get_running_loop().time()

    async def _follow(self, leader: Leader) -> bool:
        """Take in what happened since the last turn; whether there was a full batch, so that more may follow."""
        assert self._index is not None
        async with self._database.read(often=True) as connection:
            happened = await queue.happened_after(connection, self._cursor, BATCH * 2)
            lost = any(event.kind == "worker_lost" for event in happened)
            if lost or asyncio.get_running_loop().time() - self._looked >= POLL_SECONDS:
                await self._look_at_workers(connection, self._index)
        if not happened:
            return False
        if any(event.job_id is None for event in happened):
            async with self._database.read(often=True) as connection:
                await self._load_small_tables(connection, self._index)
        new = {event.job.id: event.job for event in happened if event.job is not None}
        news = {e.job_id for e in happened if e.job_id is not None and self._is_news(e.kind, e.job_id)}
        await self._take_in(leader, [job for i, job in new.items() if i in news])
        await self._refresh(leader, news - new.keys())
        self._cursor = happened[-1].id
        return len(happened) == BATCH * 2

    def _is_news(self, kind: str, job_id: int) -> bool:
        """Whether the job must be looked at: not for what leaves the queue as it is, not for the echo of an assignment
        made here, and not for an end that by itself says all there is to know."""
        assert self._index is not None
        if kind in _JOB_KINDS_WITHOUT_CHANGE:
            return False
        if kind in _FINAL_KINDS and self._index.let_go(job_id):
            return False
        return not (kind in ("started", "undoing") and self._index.is_leased(job_id))

    async def _refresh(self, leader: Leader, ids: Iterable[int]) -> None:
        """Look at these jobs in the database and place them in the index accordingly."""
        assert self._index is not None
        wanted = set(ids)
        if not wanted:
            return
        async with self._database.read(often=True) as connection:
            found = await queue.jobs_by_id(connection, wanted)
        for gone in wanted - {j.id for j in found}:
            self._index.remove(gone)
            self._index.release(gone)
        await self._take_in(leader, found)

    async def _take_in(self, leader: Leader, found: Sequence[QueuedJob]) -> None:
        """Place jobs in the index as they are."""
        assert self._index is not None
        held: dict[int, tuple[str, tuple[Claim, ...]]] = {}
        if any(job.leased and not self._index.is_leased(job.id) for job in found):
            async with self._database.read(often=True) as connection:
                held = await leases.held(connection)
        for job in found:
            _place(self._index, job, held)
        await self._settle_families(leader, _families(found))

    async def _settle_families(self, leader: Leader, parents: set[int]) -> None:
        if parents:
            await families.settle(self._database, leader, parents)

    async def _assign(self, leader: Leader) -> bool:
        assert self._index is not None
        now = await self._database.now() if self._index.asks_for_time() else 0
        # Who fills all places at once waits until all are done: one half is worked on while the other is decided.
        most = max(1, min(BATCH, self._index.slots.half()))
        picks = self._index.decide(now, most)
        if not picks:
            return self._index.unfinished
        unfinished = self._index.unfinished or len(picks) == most
        started = await leases.assign(self._database, leader, picks, self._lease_seconds)
        missed = {p.job for p in picks} - started
        for job_id in missed:
            self._index.release(job_id)
        await self._refresh(leader, missed)
        return unfinished

    def _patience(self) -> float:
        """Seconds until the next look without a wake-up call."""
        return POLL_SECONDS if self._index is None or self._index.next_due() is None else 0.2


def _place(index: QueueIndex, job: QueuedJob, held: dict[int, tuple[str, tuple[Claim, ...]]]) -> None:
    if job.leased:
        if job.id in held:
            worker_id, claims = held[job.id]
            index.hold(job, worker_id, claims)
        return
    if job.state in ENDED:
        index.remove(job.id)
        index.release(job.id)
        return
    index.put(job)


def _families(batch: Iterable[QueuedJob]) -> set[int]:
    """Jobs whose fate may hang on their children now: parents of ended ones, and those that only wait for children."""
    found = set()
    for job in batch:
        if job.state in ENDED and job.parent_id is not None:
            found.add(job.parent_id)
        if job.leased:
            continue
        if job.waits_for_children or (job.state is State.CANCELING and not job.dirty_since):
            found.add(job.id)
    return found
