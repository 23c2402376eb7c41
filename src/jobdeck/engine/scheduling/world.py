"""What decisions see of the rest of the system, and why jobs wait by it: free places on workers, limits, what is held.

Each worker has some places for jobs that need processes and some for light jobs that run in threads. A job that lost
its workers again and again may be what kills them. It begins apart from others: where all the others have run for a
while, and nobody joins it for a while. So the next loss tells whether it is the one to blame."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from jobdeck.core.claims import Held, Holding, is_shared, local_name, qualify
from jobdeck.core.life.endings import Retry
from jobdeck.core.life.waiting import (
    SUSPECT_LOSSES,
    Places,
    Reason,
    ScopePause,
    Waiting,
    WaitingFor,
    between_tries,
    obstacles,
    seen_by,
    settles_after,
    turn,
)
from jobdeck.store.running import leases, workers
from jobdeck.store.running.workers import ACTIVE, StoredWorker
from jobdeck.store.scheduling import queue
from jobdeck.store.sql.database import Connection, Row

DEFAULT_PROJECT_LIMIT = 10
KEPT_FREE = 15.0
"""Seconds for which a worker takes nobody else, after a look at whether a suspect could begin there."""


class Kept(NamedTuple):
    """A worker that takes nobody but one suspect, and until when (s, steady)."""

    worker_id: str
    until: float


class Taken(NamedTuple):
    """The place of a job: where, of which kind, and when (s, steady) the job counts as settled there."""

    worker_id: str
    isolation: str
    settles: float
    suspect: bool


@dataclass(slots=True)
class WorkerSlots:
    """One worker and what it has in hand, by isolation."""

    worker: StoredWorker
    used: dict[str, int] = field(default_factory=lambda: {"process": 0, "thread": 0})

    def free(self, isolation: str) -> int:
        slots = self.worker.light_slots if isolation == "thread" else self.worker.slots
        return slots - self.used[isolation]

    @property
    def takes(self) -> bool:
        return self.worker.state == ACTIVE


class SlotTable:
    """Which worker takes the next job: the one with the most free places of the kind that is needed."""

    def __init__(self) -> None:
        self._by_worker: dict[str, WorkerSlots] = {}
        self._taken: dict[int, Taken] = {}
        self._suspects: dict[int, Taken] = {}
        self._kept: dict[int, Kept] = {}
        """By suspect."""

    def replace(self, workers: Iterable[StoredWorker]) -> None:
        """The workers that are there now; what they have in hand is kept."""
        self._by_worker = {w.id: WorkerSlots(w) for w in workers}
        for taken in self._taken.values():
            if taken.worker_id in self._by_worker:
                self._by_worker[taken.worker_id].used[taken.isolation] += 1

    def take(self, job: int, worker_id: str, isolation: str, losses: int = 0) -> None:
        after = settles_after(losses)
        taken = Taken(worker_id, isolation, _now() + after, after > settles_after(0))
        self._taken[job] = taken
        if taken.suspect:
            self._suspects[job] = taken
        self._kept.pop(job, None)
        if worker_id in self._by_worker:
            self._by_worker[worker_id].used[isolation] += 1

    def give_back(self, job: int) -> None:
        taken = self._taken.pop(job, None)
        self._suspects.pop(job, None)
        if taken is not None and taken.worker_id in self._by_worker:
            self._by_worker[taken.worker_id].used[taken.isolation] -= 1

    def can_run(self, type_name: str) -> bool:
        """Whether a worker that takes jobs knows the type."""
        return any(d.takes and type_name in d.worker.types for d in self._by_worker.values())

    def has_free(self, type_name: str, isolation: str) -> bool:
        """Whether a worker has a place free for it, be it kept from it or not."""
        return bool(self._able(type_name, isolation, beyond=False))

    def half(self) -> int:
        """Half of all places, free or not, rounded up."""
        slots = (d.worker for d in self._by_worker.values() if d.takes)
        return (sum(w.slots + w.light_slots for w in slots) + 1) // 2

    def any_free(self) -> bool:
        return any(d.takes and (d.free("process") > 0 or d.free("thread") > 0) for d in self._by_worker.values())

    def find(
        self, type_name: str, isolation: str, *, beyond: bool = False, suspect: int | None = None
    ) -> StoredWorker | None:
        """The worker for the next job of this type; with `beyond`, also one that has no place left. For the job
        `suspect` one is kept free where it cannot begin yet."""
        able = self._able(type_name, isolation, beyond=beyond)
        if beyond or not able:
            return _freest(able, isolation)
        if suspect is None:
            return _freest(able if self._all_open() else [d for d in able if self._joins(d)], isolation)
        calm = [d for d in able if self._settled(d)]
        if not calm:
            best = _freest(able, isolation)
            assert best is not None
            self._kept[suspect] = Kept(best.id, _now() + KEPT_FREE)
        return _freest(calm, isolation)

    def alone(self) -> list[int]:
        """The suspects that run, as they were when they began."""
        return list(self._suspects)

    def kept_for(self) -> list[int]:
        """The suspects for which a worker takes nobody else."""
        return list(self._kept)

    def stop_keeping(self, suspect: int) -> None:
        """The job does not wait for a place any more."""
        self._kept.pop(suspect, None)

    def _able(self, type_name: str, isolation: str, *, beyond: bool) -> list[WorkerSlots]:
        return [
            d
            for d in self._by_worker.values()
            if d.takes and type_name in d.worker.types and (beyond or d.free(isolation) > 0)
        ]

    def _all_open(self) -> bool:
        return not self._suspects and not self._kept

    def _joins(self, slots: WorkerSlots) -> bool:
        """Whether a job that nobody suspects may begin there now."""
        now = _now()
        if any(k.worker_id == slots.worker.id and k.until > now for k in self._kept.values()):
            return False
        return all(t.settles <= now for t in self._suspects.values() if t.worker_id == slots.worker.id)

    def _settled(self, slots: WorkerSlots) -> bool:
        now = _now()
        return all(t.settles <= now for t in self._taken.values() if t.worker_id == slots.worker.id)


def _freest(slots: Iterable[WorkerSlots], isolation: str) -> StoredWorker | None:
    found = max(slots, key=lambda d: d.free(isolation), default=None)
    return found.worker if found is not None else None


def _now() -> float:
    """Steady seconds: those of the event loop, which may be simulated."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


class Capacities:
    """Answers what the limit of a resource is; None is without bound."""

    def __init__(self, project_limit: int | None = DEFAULT_PROJECT_LIMIT) -> None:
        self._project_limit = project_limit
        self._set: Mapping[str, int] = {}

    def of(self, resource: str) -> int | None:
        capacity = self._set.get(resource)
        if capacity is not None:
            return capacity
        if resource.startswith("project:") and "/" not in resource:
            return self._project_limit
        return None

    def replace(self, limits: Mapping[str, int]) -> set[str]:
        """Take over the limits as they are set now; the resources whose limit changed."""
        before, self._set = self._set, limits
        return {r for r in before.keys() | limits.keys() if before.get(r) != limits.get(r)}


WORKER_SILENCE = 7.5
"""Seconds of silence after which a worker gets nothing more, with the default lease."""
LINES = 5
"""Resources of which one answer says who is the next to get them."""


@dataclass(frozen=True, slots=True)
class ToldReason:
    """Of a resource: its limit, the units in use, and the jobs that hold them."""

    capacity: int | None
    used: int
    holders: list[int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world (core.life.waiting.World) as the database has it at one moment."""

    held: Held
    capacities: Capacities
    slots: SlotTable
    paused: Mapping[str, ScopePause]

    def holding(self, resource: str) -> Holding:
        return self.held.of(resource)

    def capacity(self, resource: str) -> int | None:
        return self.capacities.of(resource)

    def told(self, resource: str, viewer: str | None) -> ToldReason:
        """What one bound to the project `viewer` (None: to none) may know of a resource: of one that all projects
        share neither its limit nor what others hold of it."""
        holding = self.held.of(resource)
        if viewer is None or not is_shared(resource):
            return ToldReason(self.capacities.of(resource), holding.used, sorted(holding.units))
        own = seen_by(viewer, holding, self)
        return ToldReason(None, sum(holding.units[job] for job in own), own)

    def can_run(self, type_name: str) -> bool:
        return self.slots.can_run(type_name)

    def places(self, type_name: str, isolation: str) -> Places:
        """How the workers' places stand now for a job of this type and kind that nobody suspects."""
        if self.slots.find(type_name, isolation) is not None:
            return Places.FREE
        return Places.KEPT if self.slots.has_free(type_name, isolation) else Places.TAKEN


async def snapshot(connection: Connection, now: int, project_limit: int | None, silence: float) -> Snapshot:
    """Live leases, limits, workers and their places, paused scopes."""
    held = Held()
    for job, (_, claims) in (await leases.held(connection)).items():
        held.take(job, claims)
    capacities = Capacities(project_limit)
    capacities.replace(await queue.capacities(connection))
    slots = SlotTable()
    slots.replace(await workers.alive(connection, now - int(silence * 1_000_000)))
    for place in await leases.taken(connection):
        slots.take(*place)
    return Snapshot(held, capacities, slots, await queue.paused(connection))


async def explain(
    connection: Connection,
    pending: Sequence[Row],
    now: int,
    project_limit: int | None,
    silence: float = WORKER_SILENCE,
    viewer: str | None = None,
) -> dict[int, list[WaitingFor]]:
    """The wait reasons of pending jobs: rows with id, project, type, claims, not_before, waits_for_children. `viewer`:
    the one project that the reader may see.

    `project` is the project's name. Every job gets at least one reason: whoever has no obstacle waits for its turn, by
    the places that are free and those who stand before it; once the scheduler has decided, no place is free for it."""
    if not pending:
        return {}
    world = await snapshot(connection, now, project_limit, silence)
    children = await queue.unended_children(connection, [r["id"] for r in pending if r["waits_for_children"]])
    reasons = {r["id"]: list(obstacles(_waiting(r, children), world, now, viewer)) for r in pending}
    losses = {r["id"]: r.get("losses") or 0 for r in pending}
    ready = {r["id"]: r["type"] for r in pending if not reasons[r["id"]]}
    if ready:
        await _keep_places(connection, world, now)
    for job, stands in (await queue.standings(connection, list(ready), now)).items():
        places = world.places(ready[job], stands.isolation)
        reasons[job] = [turn(places=places, number=stands.number, losses=losses[job])]
    await _number(connection, pending, reasons, now)
    return reasons


async def _keep_places(connection: Connection, world: Snapshot, now: int) -> None:
    """Keep workers free for the suspects that could begin, as decisions do."""
    for row in await queue.waiting_after_losses(connection, SUSPECT_LOSSES):
        if next(obstacles(_waiting(row, {}), world, now), None) is None:
            world.slots.find(row["type"], row["isolation"], suspect=row["id"])


async def _number(
    connection: Connection, pending: Sequence[Row], reasons: Mapping[int, list[WaitingFor]], now: int
) -> None:
    """Say of the first resource that each job waits for at which place it stands. Of what all projects share there is
    no such place: projects take turns."""
    lines: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in pending:
        missing = next((r for r in reasons[row["id"]] if r.reason is Reason.CLAIM), None)
        if missing is None:
            continue
        names = {local_name(c.resource): c.resource for c in leases.claims_of(row["claims"])}
        resource = names.get(missing.resource or "", "")
        if resource and not is_shared(resource):
            lines[row["project"], resource].append(row["id"])
    for (project, resource), waiting in list(lines.items())[:LINES]:
        has_all = resource == qualify(project, "project")
        for job, number in (await queue.in_line(connection, resource, waiting, now, has_all=has_all)).items():
            first = next(i for i, r in enumerate(reasons[job]) if r.reason is Reason.CLAIM)
            reasons[job][first] = replace(reasons[job][first], number=number)


def _waiting(row: Row, children: Mapping[int, Sequence[int]]) -> Waiting:
    family = tuple(children.get(row["id"], ())) if row["waits_for_children"] else None
    claims = leases.claims_of(row["claims"])
    return Waiting(row["id"], row["project"], row["type"], claims, row["not_before"], family, _failed(row))


def _failed(row: Row) -> str | None:
    """What failed before the next try of the job, if it waits for one."""
    if not row.get("retry"):
        return None
    return between_tries(Retry(**json.loads(row["retry"])), row.get("error_message") or "")
