"""The scheduler's memory: an index of the database's queue and of what live leases hold. Rebuilt on take-over."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from jobdeck.core.claims import Claim, Held, Holding, fits, implicit_claims
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import Reason, ScopePause, Waiting, WaitingFor, is_suspect, obstacles, share
from jobdeck.engine.scheduling.world import Capacities, SlotTable
from jobdeck.store.running.leases import RUN, UNDO, Pick, claims_of
from jobdeck.store.scheduling.queue import QueuedJob

Heap = list[tuple[int, int]]
"""Order key and id of jobs; entries may be stale and are checked when they come up."""

LOOKS = 1000
"""Jobs that one decision sets aside at most, which takes some 20 ms: the process does nothing else meanwhile."""

_WHOLE_QUEUE = {Reason.PAUSED_SCOPE, Reason.NO_WORKER}


@dataclass(frozen=True, slots=True)
class ClaimQueue:
    """Jobs that wait for the same: of one project and type, with equal claims on one resource.

    They are alike in all that could stop them together, so the first of them can speak for the others."""

    project_id: int
    type: str
    claim: Claim


@dataclass(slots=True)
class ProjectQueue:
    """The jobs of one project that may be able to start, by type, and how many of its jobs hold a lease."""

    name: str = ""
    weight: float = 1.0
    running: int = 0
    ready: dict[str, Heap] = field(default_factory=dict)


@dataclass(slots=True)
class QueueEntry:
    """A job that waits: the queue for a claim in which it stands, or the one from which it was woken to try."""

    job: QueuedJob
    waiting: Waiting
    waits_in: ClaimQueue | None = None
    woken_from: ClaimQueue | None = None


class QueueIndex:
    """Knows at once who can start when something is freed; looks only at the jobs that wait for it."""

    def __init__(self, capacities: Capacities) -> None:
        self.capacities = capacities
        self.paused: Mapping[str, ScopePause] = {}
        self.slots = SlotTable()
        self._projects: dict[int, ProjectQueue] = {}
        self._entries: dict[int, QueueEntry] = {}
        self._held = Held()
        self._leased: dict[int, QueuedJob] = {}
        self._claim_queues: dict[str, dict[ClaimQueue, Heap]] = {}
        self._delayed: Heap = []
        self._apart: list[QueueEntry] = []
        """Jobs that may be what kills workers and found no place apart from others."""
        self._undo: dict[int, QueuedJob] = {}
        self._timed: set[int] = set()
        """Jobs with a time among those that may be able to start."""
        self._looks = LOOKS
        """Jobs that the decision may still set aside."""

    # What the decision sees (core.life.waiting.World).

    def holding(self, resource: str) -> Holding:
        return self._held.of(resource)

    def capacity(self, resource: str) -> int | None:
        return self.capacities.of(resource)

    def can_run(self, type_name: str) -> bool:
        return self.slots.can_run(type_name)

    # Following the database.

    def set_projects(self, projects: Mapping[int, tuple[str, float]]) -> None:
        for project_id, (name, weight) in projects.items():
            queue = self._projects.setdefault(project_id, ProjectQueue())
            queue.name, queue.weight = name, weight

    def put(self, job: QueuedJob) -> None:
        """Take in a job as the database has it now, without a lease."""
        self.remove(job.id)
        self.release(job.id)
        if job.state is State.CANCELING and job.dirty_since:
            self._undo[job.id] = job
        elif job.state is State.PENDING and not job.waits_for_children:
            queue = self._projects[job.project_id]
            entry = QueueEntry(job, Waiting(job.id, queue.name, job.type, claims_of(job.claims), job.not_before))
            self._entries[job.id] = entry
            self._make_ready(entry)

    def hold(self, job: QueuedJob, worker_id: str, claims: Iterable[Claim]) -> None:
        """A live lease holds the job."""
        if job.id not in self._leased:
            self._held.take(job.id, claims)
            self._leased[job.id] = job
            self._projects[job.project_id].running += 1
            self.slots.take(job.id, worker_id, job.isolation, job.losses)
        self.remove(job.id)

    def release(self, job_id: int) -> None:
        """Its lease is gone; the first in each queue for what it held may try."""
        if job_id not in self._leased:
            return
        self._projects[self._leased.pop(job_id).project_id].running -= 1
        self.slots.give_back(job_id)
        for claim in self._held.release(job_id):
            self.unblock(claim.resource)

    def remove(self, job_id: int) -> None:
        """It no longer waits. Its places in heaps and queues are dropped when they come up."""
        self._undo.pop(job_id, None)
        self._timed.discard(job_id)
        entry = self._entries.pop(job_id, None)
        if entry is not None:
            self._wake_next(entry)

    def let_go(self, job_id: int) -> bool:
        """The job ended for good: give back what it holds. False when more may hang on it, or it was not held here."""
        if job_id not in self._leased or self._leased[job_id].parent_id is not None:
            return False
        self.release(job_id)
        return True

    def is_leased(self, job_id: int) -> bool:
        return job_id in self._leased

    def leased(self) -> list[int]:
        return list(self._leased)

    def waiting(self) -> int:
        return len(self._entries)

    def unblock(self, resource: str, everyone: bool = False) -> None:
        """Let the first of each queue for `resource` that has room now (or all, after its limit changed) try."""
        for queue in list(self._claim_queues.get(resource, ())):
            while self._wake_first(queue) and everyone:
                continue

    def _wake_first(self, queue: ClaimQueue) -> bool:
        """Let the first of the queue try if there is room for it; whether there was one."""
        resource = queue.claim.resource
        queues = self._claim_queues.get(resource, {})
        heap = queues.get(queue)
        if not heap or not fits(queue.claim, self.holding(resource), self.capacity(resource)):
            return False
        woken = None
        while heap and woken is None:
            order_key, job_id = heapq.heappop(heap)
            entry = self._entries.get(job_id)
            if entry is not None and entry.waits_in == queue and entry.job.order_key == order_key:
                entry.waits_in, entry.woken_from = None, queue
                self._make_ready(entry)
                woken = entry
        if not heap:
            del queues[queue]
            if not queues:
                del self._claim_queues[resource]
        return woken is not None

    def _wake_next(self, entry: QueueEntry) -> None:
        """The job tries no more for what it was woken: the next of that queue may, if there is room still."""
        queue, entry.woken_from = entry.woken_from, None
        if queue is not None:
            self._wake_first(queue)

    # Deciding.

    def next_due(self) -> int | None:
        """When the next delayed job may start (µs)."""
        return self._delayed[0][0] if self._delayed else None

    def asks_for_time(self) -> bool:
        """Whether the next decision depends on what time it is: also for those whose time has come long since and that
        no decision got to yet. One without the time would set them aside, and others would overtake them."""
        return bool(self._timed or self._delayed)

    @property
    def unfinished(self) -> bool:
        """Whether the last decision stopped before it had looked at all who may be able to start."""
        return self._looks == 0

    def decide(self, now: int, limit: int) -> list[Pick]:
        """Up to `limit` jobs that start now, fairest first; they count as holding from here on.

        After many that cannot start it stops, `unfinished`: the next decision goes on from there."""
        self._looks = LOOKS
        self._wake_delayed(now)
        self._stop_keeping(now)
        self._wake_apart()
        picks = self._pick_undo(limit)
        self._pick_fairest(picks, now, limit)
        if self._stop_keeping(now):  # Another one took what a suspect needs: its place is for those who were passed by.
            self._pick_fairest(picks, now, limit)
        return picks

    def _pick_fairest(self, picks: list[Pick], now: int, limit: int) -> None:
        """Add those who start now, until there are `limit`; projects take turns."""
        turns = [(share(q.running, q.weight), i) for i, q in self._projects.items() if q.ready]
        heapq.heapify(turns)
        stalled: set[tuple[int, str]] = set()
        while turns and len(picks) < limit and self._looks and self.slots.any_free():
            _, project_id = heapq.heappop(turns)
            pick = self._pick_from(project_id, now, stalled)
            if pick is not None:
                picks.append(pick)
                queue = self._projects[project_id]
                heapq.heappush(turns, (share(queue.running, queue.weight), project_id))

    def _pick_undo(self, limit: int) -> list[Pick]:
        """Leftovers are removed without claims: what is canceled must not wait for a limit to be gone. Nor does it
        wait for another one whose type no worker knows."""
        picks: list[Pick] = []
        for job in list(self._undo.values()):
            if len(picks) == limit:
                break
            worker = self.slots.find(job.type, job.isolation, beyond=True)
            if worker is not None:
                self.hold(job, worker.id, ())
                picks.append(Pick(job.id, worker.id, worker.name, "[]", UNDO))
        return picks

    def _pick_from(self, project_id: int, now: int, stalled: set[tuple[int, str]]) -> Pick | None:
        queue = self._projects[project_id]
        while self._looks:
            heads = [
                (heap[0], name) for name, heap in queue.ready.items() if heap and (project_id, name) not in stalled
            ]
            if not heads:
                return None
            (order_key, job_id), type_name = min(heads)
            entry = self._entries.get(job_id)
            if entry is None or entry.waits_in is not None or entry.job.order_key != order_key:
                self._drop_head(queue, type_name)
                continue
            obstacle = next(obstacles(entry.waiting, self, now), None)
            if obstacle is None:
                suspect = job_id if is_suspect(entry.job.losses) else None
                worker = self.slots.find(entry.job.type, entry.job.isolation, suspect=suspect)
                if worker is None and suspect is not None:
                    self._drop_head(queue, type_name)
                    self._apart.append(entry)
                    continue
                if worker is None:
                    stalled.add((project_id, type_name))
                    continue
                self._drop_head(queue, type_name)
                return self._picked(entry, worker.id, worker.name)
            unmet = self._unmet(entry) if obstacle.reason is Reason.CLAIM else None
            if obstacle.reason in _WHOLE_QUEUE or unmet in _common(entry.waiting.project, type_name):
                stalled.add((project_id, type_name))
                continue
            self._drop_head(queue, type_name)
            self._set_aside(entry, obstacle, unmet)
        return None

    def _picked(self, entry: QueueEntry, worker_id: str, worker_name: str) -> Pick:
        job = entry.job
        self.hold(job, worker_id, entry.waiting.claims)
        return Pick(job.id, worker_id, worker_name, job.claims, RUN)

    def _unmet(self, entry: QueueEntry) -> Claim:
        """The first claim that cannot be held now; there is one."""
        return next(c for c in entry.waiting.claims if not fits(c, self.holding(c.resource), self.capacity(c.resource)))

    def _set_aside(self, entry: QueueEntry, obstacle: WaitingFor, unmet: Claim | None) -> None:
        """Put it where it waits: for its time, or in the queue for the claim that is `unmet`."""
        self._looks -= 1
        self._timed.discard(entry.job.id)
        if obstacle.until is not None:
            heapq.heappush(self._delayed, (obstacle.until, entry.job.id))
        else:
            assert unmet is not None, obstacle
            # Its time has come, or that would be its obstacle. Woken by a decision that was made without the time, it
            # must not be put off again.
            entry.waiting = replace(entry.waiting, not_before=None)
            entry.waits_in = queue = ClaimQueue(entry.job.project_id, entry.job.type, unmet)
            heap = self._claim_queues.setdefault(unmet.resource, {}).setdefault(queue, [])
            heapq.heappush(heap, (entry.job.order_key, entry.job.id))
        self._wake_next(entry)

    def _make_ready(self, entry: QueueEntry) -> None:
        if entry.waiting.not_before is not None:
            self._timed.add(entry.job.id)
        heap = self._projects[entry.job.project_id].ready.setdefault(entry.job.type, [])
        heapq.heappush(heap, (entry.job.order_key, entry.job.id))

    def _drop_head(self, queue: ProjectQueue, type_name: str) -> None:
        heapq.heappop(queue.ready[type_name])
        if not queue.ready[type_name]:
            del queue.ready[type_name]

    def _stop_keeping(self, now: int) -> bool:
        """Keep no place from others for suspects that could not begin there now; whether there was one."""
        in_vain = [job for job in self.slots.kept_for() if not self._could_begin(job, now)]
        for job in in_vain:
            self.slots.stop_keeping(job)
        return bool(in_vain)

    def _could_begin(self, job: int, now: int) -> bool:
        entry = self._entries.get(job)
        return entry is not None and next(obstacles(entry.waiting, self, now), None) is None

    def _wake_apart(self) -> None:
        """Suspects that found no place of their own try again; meanwhile they are in nobody's way."""
        apart, self._apart = self._apart, []
        for entry in apart:
            if self._entries.get(entry.job.id) is entry:
                self._make_ready(entry)

    def _wake_delayed(self, now: int) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            _, job_id = heapq.heappop(self._delayed)
            entry = self._entries.get(job_id)
            if entry is not None and entry.waits_in is None:
                self._make_ready(entry)


@lru_cache(maxsize=1000)
def _common(project: str, type_name: str) -> tuple[Claim, ...]:
    """The claims that every job of this project and type has; where one of them is unmet, none of them can start."""
    return tuple(implicit_claims(project, type_name, None, None))
