"""A scheduler of random lives: the real index, decisions and assignments, fed whenever the story says so."""

from __future__ import annotations

from typing import Any

from jobdeck.core.claims import Held
from jobdeck.core.errors import NotLeader
from jobdeck.core.life.states import ENDED
from jobdeck.engine.scheduling.index import QueueIndex
from jobdeck.engine.scheduling.world import Capacities, SlotTable, Snapshot
from jobdeck.store.running import leases
from jobdeck.store.running.leases import Pick
from jobdeck.store.scheduling import leadership, queue
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.scheduling.queue import QueuedJob
from jobdeck.store.sql.database import Connection
from tests.store.desk import LEASE, WORKERS, Desk


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
        self.index.slots.replace(WORKERS)
        self.cursor = (await self.desk.events())[-1].id
        async with self.desk.database.read() as connection:
            self.index.set_projects(await queue.project_weights(connection))
            await self.read_limits_and_pauses(connection)
            held = await leases.held(connection)
            for job in await queue.open_jobs(connection, None, 10_000):
                self.place(job, held)

    async def read_limits_and_pauses(self, connection: Connection) -> None:
        self.index.paused = await queue.paused(connection)
        for resource in self.index.capacities.replace(await queue.capacities(connection)):
            self.index.unblock(resource, everyone=True)

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
            if any(e.job_id is None for e in happened):
                await self.read_limits_and_pauses(connection)
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

    async def sight(self) -> Snapshot:
        """The world as this scheduler may know it: what is held now, under the limits and pauses that it last read.

        Only who leads gives leases, so what it takes for held is so at least."""
        held, places = Held(), SlotTable()
        places.replace(WORKERS)
        async with self.desk.database.read() as connection:
            for job, (_, claims) in (await leases.held(connection)).items():
                held.take(job, claims)
            for taken in await leases.taken(connection):
                places.take(*taken)
        return Snapshot(held, self.index.capacities, places, self.index.paused)
