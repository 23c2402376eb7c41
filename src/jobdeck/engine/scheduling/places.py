"""Free places on workers: each has some for jobs that need processes and some for light jobs that run in threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jobdeck.store.running.workers import ACTIVE, Worker


@dataclass(slots=True)
class Desk:
    """One worker and what it has in hand, by isolation."""

    worker: Worker
    used: dict[str, int] = field(default_factory=lambda: {"process": 0, "thread": 0})

    def free(self, isolation: str) -> int:
        slots = self.worker.light_slots if isolation == "thread" else self.worker.slots
        return slots - self.used[isolation]

    @property
    def takes(self) -> bool:
        return self.worker.state == ACTIVE


class Places:
    """Which worker takes the next job: the one with the most free places of the kind that is needed."""

    def __init__(self) -> None:
        self._desks: dict[str, Desk] = {}
        self._taken: dict[int, tuple[str, str]] = {}

    def replace(self, workers: Iterable[Worker]) -> None:
        """The workers that are there now; what they have in hand is kept."""
        self._desks = {w.id: Desk(w) for w in workers}
        for worker_id, isolation in self._taken.values():
            if worker_id in self._desks:
                self._desks[worker_id].used[isolation] += 1

    def take(self, job: int, worker_id: str, isolation: str) -> None:
        self._taken[job] = (worker_id, isolation)
        if worker_id in self._desks:
            self._desks[worker_id].used[isolation] += 1

    def give_back(self, job: int) -> None:
        worker_id, isolation = self._taken.pop(job, ("", ""))
        if worker_id in self._desks:
            self._desks[worker_id].used[isolation] -= 1

    def can_run(self, type_name: str) -> bool:
        """Whether a worker that takes jobs knows the type."""
        return any(d.takes and type_name in d.worker.types for d in self._desks.values())

    def half(self) -> int:
        """Half of all places, free or not, rounded up."""
        desks = (d.worker for d in self._desks.values() if d.takes)
        return (sum(w.slots + w.light_slots for w in desks) + 1) // 2

    def any_free(self) -> bool:
        return any(d.takes and (d.free("process") > 0 or d.free("thread") > 0) for d in self._desks.values())

    def find(self, type_name: str, isolation: str, *, beyond: bool = False) -> Worker | None:
        """The worker for the next job of this type; with `beyond`, also one that has no place left."""
        able = [
            d
            for d in self._desks.values()
            if d.takes and type_name in d.worker.types and (beyond or d.free(isolation) > 0)
        ]
        return max(able, key=lambda d: d.free(isolation)).worker if able else None
