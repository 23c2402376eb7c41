"""Who may begin beside whom: a job that lost its worker twice begins apart from others. Written down a second time."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from tests.simulation.facts import Facts, Row

_SUSPECT = 2
"""Losses in a row from which on a job begins apart."""
_SETTLED = 10.0
"""Seconds after which others that run are in nobody's way."""
_KEPT_FREE = 15.0
"""Seconds for which a worker takes nobody else, once a suspect could not begin there."""


class _Begun(NamedTuple):
    """A start: when (loop time) it was decided at the earliest and at the latest, and the losses until then."""

    earliest: float
    latest: float
    losses: int


def is_suspect(job: Row) -> bool:
    return bool(job["losses"] >= _SUSPECT)


def _settles(losses: int) -> float:
    return _SETTLED if losses < _SUSPECT else 20.0 * 4.0 ** min(losses - _SUSPECT, 6)


class Apart:
    """What leases tell of who has run for how long, and which workers may be kept free."""

    def __init__(self, grace: float) -> None:
        """`grace`: seconds within which a scheduler knows everything again after a take-over or an error."""
        self._grace = grace
        self._begun: dict[tuple[int, int], _Begun] = {}
        """By job and epoch."""
        self._asked: set[str] = set()
        """Workers that a suspect might have as its own but for others, since the last commit."""
        self._held: dict[str, float] = {}
        """Until when (loop time) workers may be kept free."""

    def begun(self, before: Facts, after: Facts, followed_at: float, now: float) -> None:
        """Note the leases of a commit that was decided at `followed_at` at the earliest."""
        for job_id, lease in after.leases.items():
            key = (job_id, lease["epoch"])
            if key not in self._begun:
                self._begun[key] = _Begun(followed_at, now, before.jobs[job_id]["losses"])
        for key in [k for k in self._begun if k[0] not in after.leases or after.leases[k[0]]["epoch"] != k[1]]:
            del self._begun[key]

    def asked(self, workers: set[str], now: float) -> None:
        """From now on, until this is called again, a suspect may ask for these workers in vain."""
        for worker in self._asked | workers:
            self._held[worker] = now + _KEPT_FREE + self._grace
        self._asked = workers

    def may_be_held(self, worker: str, now: float) -> bool:
        return worker in self._asked or self._held.get(worker, now) > now

    def surely_calm(self, facts: Facts, worker: str, at: float, known_since: float) -> bool:
        """Whether all on the worker have settled for a scheduler that forgot nothing since `known_since`."""
        return all(self._end(b, known_since) <= at for b, _ in self._on(facts, worker))

    def surely_joinable(self, facts: Facts, worker: str, at: float, known_since: float) -> bool:
        """Whether any other job may begin there: no suspect is alone there, and none can have it kept free."""
        suspects = [b for b, _ in self._on(facts, worker) if b.losses >= _SUSPECT]
        return not self.may_be_held(worker, at) and all(self._end(b, known_since) <= at for b in suspects)

    def in_the_way(self, facts: Facts, worker: str, job: Row, now: float) -> list[int]:
        """The jobs on the worker beside which this one must surely not begin yet."""
        found = []
        for begun, other in self._on(facts, worker):
            losses = min(begun.losses, other["losses"])  # A scheduler that took over went by what they were then.
            if (is_suspect(job) or losses >= _SUSPECT) and now < begun.earliest + _settles(losses):
                found.append(other["id"])
        return found

    def _end(self, begun: _Begun, known_since: float) -> float:
        """When it has settled at the latest; whoever takes over counts anew."""
        latest = begun.latest if begun.latest > known_since else known_since + self._grace
        return latest + _settles(begun.losses)

    def _on(self, facts: Facts, worker: str) -> Collection[tuple[_Begun, Row]]:
        leases = [lease for lease in facts.leases.values() if lease["worker_id"] == worker]
        return [(self._begun[x["job_id"], x["epoch"]], facts.jobs[x["job_id"]]) for x in leases]
