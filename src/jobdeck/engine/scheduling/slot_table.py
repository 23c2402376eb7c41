"""Free places on workers: each has some for jobs that need processes and some for light jobs that run in threads.

A job that lost its workers again and again may be what kills them. It begins apart from others: where all the others
have run for a while, and nobody joins it for a while. So the next loss tells whether it is the one to blame."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jobdeck.core.retry import settles_after
from jobdeck.store.running.workers import ACTIVE, StoredWorker

DEFAULT_PROJECT_LIMIT = 10
HELD_FREE = 15.0
"""Seconds for which a worker takes nobody else, after a look at whether a suspect could begin there."""


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
        self._held_free: dict[str, float] = {}
        """Workers that take nobody but a suspect, and until when."""

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
            self._held_free.pop(worker_id, None)
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

    def half(self) -> int:
        """Half of all places, free or not, rounded up."""
        slots = (d.worker for d in self._by_worker.values() if d.takes)
        return (sum(w.slots + w.light_slots for w in slots) + 1) // 2

    def any_free(self) -> bool:
        return any(d.takes and (d.free("process") > 0 or d.free("thread") > 0) for d in self._by_worker.values())

    def find(
        self, type_name: str, isolation: str, *, beyond: bool = False, suspect: bool = False
    ) -> StoredWorker | None:
        """The worker for the next job of this type; with `beyond`, also one that has no place left. For a `suspect` one
        is held free where it cannot begin yet."""
        able = self._able(type_name, isolation, beyond=beyond)
        if beyond or not able:
            return _freest(able, isolation)
        if not suspect:
            return _freest(able if self._all_open() else [d for d in able if self._joins(d)], isolation)
        calm = [d for d in able if self._settled(d)]
        if not calm:
            best = _freest(able, isolation)
            assert best is not None
            self._held_free[best.id] = _now() + HELD_FREE
        return _freest(calm, isolation)

    def _able(self, type_name: str, isolation: str, *, beyond: bool) -> list[WorkerSlots]:
        return [
            d
            for d in self._by_worker.values()
            if d.takes and type_name in d.worker.types and (beyond or d.free(isolation) > 0)
        ]

    def _all_open(self) -> bool:
        return not self._suspects and not self._held_free

    def _joins(self, slots: WorkerSlots) -> bool:
        """Whether a job that nobody suspects may begin there now."""
        now = _now()
        if self._held_free.get(slots.worker.id, now) > now:
            return False
        self._held_free.pop(slots.worker.id, None)
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
