"""Who starts, in which order, and by whose word: what a scheduler decides lands while it leads, fairest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jobdeck.core.life.waiting import Reason
from jobdeck.core.tasks import UNDO
from tests.simulation.apart import Apart, is_suspect
from tests.simulation.database import WEIGHTS
from tests.simulation.facts import Facts, Row
from tests.simulation.virtual_time import Machine
from tests.simulation.waiting import Moment

_STARTS = {"started", "undoing"}
"""Kinds of the events of jobs that were given to a worker."""
_STEP = 300_000_000
"""Microseconds of age that are worth as much as a step of priority."""


_SETTLED = {"succeeded", "failed"}
"""Kinds of the events of parents that nobody runs any more, once their children have ended."""


class Knew(NamedTuple):
    """What a machine knew when it decided."""

    followed: int
    """The last commit that it surely knew of."""
    at: float
    """When (loop time) it began to look at what had happened: it decided later."""
    since: float
    """Since when (loop time) it leads and forgot nothing."""


class Decisions:
    """Looks at what each commit decided; `broken` is called with the words for what does not hold."""

    def __init__(self, project_limit: int | None, apart: Apart, broken: Callable[[str], None]) -> None:
        self._apart = apart
        self._project_limit = project_limit
        self._broken = broken
        self._changed = 0
        """The last commit that changed what can start, before the one that is looked at."""

    def committed(
        self, machine: Machine | None, commit: int, touched: set[str], knew: Knew, told: Sequence[Row],
        before: Facts, after: Facts, now: float,
    ) -> None:  # fmt: skip
        """`told`: the events of this commit, in order; `now` is the loop's time."""
        starts = [after.leases[row["job_id"]] for row in told if row["kind"] in _STARTS]
        for lease in starts:
            self._check_lead(machine, after, f"gave job {lease['job_id']} away")
        self._check_apart(starts, before, now)
        if starts and knew.followed >= self._changed:
            self._check_order(starts, before, knew)
        for job_id in before.leases.keys() - after.leases.keys():
            self._check_end(machine, before.leases[job_id], before, after)
        for row in told:
            if row["kind"] in _SETTLED and row["job_id"] not in before.leases:
                self._check_lead(machine, after, f"settled job {row['job_id']}")
        # A worker whose state changed, which is told in an event: what was decided for one that leaves does not land.
        if touched & {"jobs", "leases", "limits", "paused_scopes"} or {"workers", "events"} <= touched:
            self._changed = commit

    def _check_lead(self, machine: Machine | None, after: Facts, words: str) -> None:
        leader = after.lead["holder"] if after.lead is not None else None
        if leader != str(machine):
            self._broken(f"{machine} {words}, and {leader} leads")

    def _check_end(self, machine: Machine | None, lease: Row, before: Facts, after: Facts) -> None:
        """Its worker gives a lease back; anyone else takes it away, when it has run out."""
        job_id = lease["job_id"]
        if before.workers[lease["worker_id"]]["name"] == str(machine):
            return
        self._check_lead(machine, after, f"took job {job_id} from its worker")
        job = after.jobs[job_id]
        moved = job["state"] != before.jobs[job_id]["state"]
        if moved and job["state_since"] < lease["expires_at"]:
            self._broken(f"job {job_id} was taken from its worker, and its lease had not run out")

    def _check_apart(self, starts: Sequence[Row], before: Facts, now: float) -> None:
        """None begins beside one that has to be alone, and none that has to be alone beside another."""
        begun: dict[str, list[Row]] = {}
        for lease in starts:
            job, worker = before.jobs[lease["job_id"]], lease["worker_id"]
            if lease["purpose"] != UNDO:
                others = self._apart.in_the_way(before, worker, job, now)
                others += [o["id"] for o in begun.get(worker, ()) if is_suspect(job) or is_suspect(o)]
                if others:
                    self._broken(f"job {job['id']} (losses: {job['losses']}) began beside {others}")
            begun.setdefault(worker, []).append(job)

    def _check_order(self, starts: Sequence[Row], before: Facts, knew: Knew) -> None:
        """Each was the first of all that could have started in its place, for a scheduler that knew everything.

        Jobs with a time are left out: it may have been a bit earlier when the scheduler decided."""
        moment = Moment(before, 0, 0.0, self._project_limit)
        running = dict.fromkeys(WEIGHTS, 0)
        for job_id in before.leases:
            running[before.jobs[job_id]["project_id"]] += 1
        waiting = {j["id"]: j for j in before.pending() if j["not_before"] is None}
        joined: set[str] = set()
        for lease in starts:
            job, worker = before.jobs[lease["job_id"]], before.workers[lease["worker_id"]]
            waiting.pop(job["id"], None)
            if lease["purpose"] != UNDO:
                for other in waiting.values():
                    if not _stands_before(other, job, running) or not self._could_start(moment, worker, other):
                        continue
                    calm = worker["id"] not in joined and self._is_calm(before, worker, knew)
                    if self._could_begin(other, job, worker, calm, knew):
                        self._broken(f"job {job['id']} started before job {other['id']}; running: {running}")
            moment.take(lease)
            joined.add(worker["id"])
            running[job["project_id"]] += 1

    def _could_start(self, moment: Moment, worker: Row, job: Row) -> bool:
        """In the place that was given to the other; the scheduler knew of the worker, or it would not have got that."""
        return moment.has_place_on(worker, job) and all(tag == (Reason.NO_WORKER,) for tag in moment.reasons(job))

    def _is_calm(self, before: Facts, worker: Row, knew: Knew) -> bool:
        return self._apart.surely_calm(before, worker["id"], knew.at, knew.since)

    def _could_begin(self, other: Row, job: Row, worker: Row, calm: bool, knew: Knew) -> bool:
        """Where `job` began, by who may begin beside whom: of two that are alike in this, both could; one that has to
        be alone where it is calm, and another one in its stead where nothing is kept free."""
        if is_suspect(other) == is_suspect(job):
            return True
        return calm if is_suspect(other) else not self._apart.may_be_held(worker["id"], knew.at)


def _stands_before(one: Row, other: Row, running: dict[int, int]) -> bool:
    mine, its = one["project_id"], other["project_id"]
    if mine == its:
        return _age(one) < _age(other)
    return running[mine] / WEIGHTS[mine] < running[its] / WEIGHTS[its]


def _age(job: Row) -> int:
    return int(job["created_at"]) - int(job["priority"]) * _STEP
