"""Why jobs wait, found out anew from what is committed, without the engine's rules; and that none waits for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from jobdeck.core.claims import Held
from jobdeck.core.life.states import ENDED
from jobdeck.core.life.waiting import Reason, Waiting, WaitingFor, obstacles
from tests.simulation.apart import Apart, is_suspect
from tests.simulation.facts import Facts, Row, View, claims_of

Tag = tuple[Any, ...]
"""What a reason says: its kind, then what it is about."""

_ENDED = {str(s) for s in ENDED}
_NOT_ITS_OWN = {Reason.NOT_BEFORE, Reason.NO_WORKER}
"""Reasons that pass by themselves, perhaps before the scheduler next looks."""


@lru_cache(maxsize=10_000)
def _read(text: str) -> Any:
    return json.loads(text)


class Moment:
    """The rules over the facts of one moment, written down a second time and as simply as can be."""

    def __init__(self, facts: Facts, now: int, silence: float, project_limit: int | None) -> None:
        """`silence`: seconds after which a worker gets nothing more."""
        self._facts = facts
        self._now = now
        self._project_limit = project_limit
        self._holders: dict[str, dict[int, tuple[int, str]]] = {}
        self._used: dict[tuple[str, str], int] = {}
        for lease in facts.leases.values():
            self.take(lease)
        heard = now - int(silence * 1_000_000)
        active = (w for w in facts.workers.values() if w["state"] == "active")
        self._workers = [w for w in active if w["heartbeat_at"] >= heard]
        self.types = {name for w in self._workers for name in _read(w["types"])}

    def take(self, lease: Row) -> None:
        """One more is held."""
        for resource, units, mode in _read(lease["claims"]):
            self._holders.setdefault(resource, {})[lease["job_id"]] = (units, mode)
        place = (lease["worker_id"], self._facts.jobs[lease["job_id"]]["isolation"])
        self._used[place] = self._used.get(place, 0) + 1

    def reasons(self, job: Row) -> list[Tag]:
        """What keeps a pending job from starting."""
        found: list[Tag] = []
        if (job["not_before"] or 0) > self._now:
            found.append((Reason.NOT_BEFORE, job["not_before"]))
        scopes = ("instance", f"project:p{job['project_id']}", f"type:{job['type']}")
        found += [(Reason.PAUSED_SCOPE, scope) for scope in scopes if scope in self._facts.rules.paused]
        if job["waits_for_children"]:
            found.append((Reason.DEPENDENCY, *self.open_children(job)))
        for resource, units, mode in _read(job["claims"]):
            if not self._is_free(resource, units, mode):
                local = resource.split("/", 1)[1] if resource.startswith("project:") and "/" in resource else resource
                found.append((Reason.CLAIM, local, *sorted(self._holders.get(resource, ()))))
        if job["type"] not in self.types:
            found.append((Reason.NO_WORKER,))
        return found

    def open_children(self, job: Row) -> list[int]:
        children = (c for c in self._facts.jobs.values() if c["parent_id"] == job["id"])
        return sorted(c["id"] for c in children if c["state"] not in _ENDED)

    def _is_free(self, resource: str, units: int, mode: str) -> bool:
        held = self._holders.get(resource, {}).values()
        if held and (mode == "x" or any(other == "x" for _, other in held)):
            return False
        capacity = self._facts.rules.limits.get(resource)
        if capacity is None and resource in ("project:p1", "project:p2"):
            capacity = self._project_limit
        return capacity is None or sum(n for n, _ in held) + units <= capacity

    def places(self, job: Row) -> list[Row]:
        """The workers that take jobs, were heard of and have a place for it."""
        return [w for w in self._workers if self.has_place_on(w, job)]

    def has_place_on(self, worker: Row, job: Row) -> bool:
        places: int = worker["light_slots"] if job["isolation"] == "thread" else worker["slots"]
        used = self._used.get((worker["id"], job["isolation"]), 0)
        return job["type"] in _read(worker["types"]) and used < places


def told(reasons: Iterable[WaitingFor]) -> list[Tag]:
    """What the engine says, in the same words."""
    return [_tag(r) for r in reasons]


def _tag(reason: WaitingFor) -> Tag:
    match reason.reason:
        case Reason.NOT_BEFORE:
            return (Reason.NOT_BEFORE, reason.until)
        case Reason.PAUSED_SCOPE:
            return (Reason.PAUSED_SCOPE, reason.resource)
        case Reason.CLAIM:
            return (Reason.CLAIM, reason.resource, *reason.holders)
        case kind:
            return (kind, *reason.holders)


class Waits:
    """Looks after every commit at all that wait; `broken` is called with the words for what does not hold."""

    def __init__(
        self, silence: float, project_limit: int | None, most: float, apart: Apart, broken: Callable[[str], None]
    ) -> None:
        """`most`: seconds that a job may wait for nothing but the scheduler, while that is well."""
        self._silence = silence
        self._project_limit = project_limit
        self._most = most
        self._apart = apart
        self._broken = broken
        self._since: dict[int, float] = {}
        self._seen: dict[int, list[Tag]] = {}
        self.explained: dict[int, list[Tag]] = {}
        """What was true when last the engine was asked to explain it."""

    @property
    def to_explain(self) -> bool:
        """Whether other reasons hold than when the engine last explained them."""
        return bool(self._seen) and self._seen != self.explained

    def committed(self, facts: Facts, now: int, time: float, well_since: float | None) -> None:
        """`now` is the database's time, `time` the loop's; `well_since`: since when (loop time) somebody leads who is
        alive and hears of everything, None if nobody does."""
        pending = facts.pending()
        if not pending:
            self._since, self._seen = {}, {}
            self._apart.asked(set(), time)
            return
        moment = self.moment(facts, now)
        self._seen = {job["id"]: moment.reasons(job) for job in pending}
        self._check_rule(facts, pending, moment, now)
        known = well_since if well_since is not None else time
        self._apart.asked(self._asked_for(facts, pending, moment, time, known), time)
        going = (job for job in pending if self._may_go(facts, moment, job, time, known))
        since = {job["id"]: self._since.get(job["id"], time) for job in going}
        self._since = since
        if well_since is None:
            return
        for job_id, began in since.items():
            waited = time - max(began, well_since)
            if waited > self._most:
                self._broken(f"job {job_id} waited {waited:.1f} s for no reason")

    def moment(self, facts: Facts, now: int) -> Moment:
        return Moment(facts, now, self._silence, self._project_limit)

    def _asked_for(self, facts: Facts, pending: list[Row], moment: Moment, time: float, known: float) -> set[str]:
        """Workers that may be kept free for jobs that have to begin apart from others."""
        ready = [j for j in pending if is_suspect(j) and all(tag[0] in _NOT_ITS_OWN for tag in self._seen[j["id"]])]
        able = {w["id"] for job in ready for w in facts.workers.values() if moment.has_place_on(w, job)}
        return {w for w in able if not self._apart.surely_calm(facts, w, time, known)}

    def _may_go(self, facts: Facts, moment: Moment, job: Row, time: float, known: float) -> bool:
        """Nothing is in the way of the job but that the scheduler has to look at it."""
        if job["waits_for_children"]:
            return not moment.open_children(job)
        may_begin = self._apart.surely_calm if is_suspect(job) else self._apart.surely_joinable
        return not self._seen[job["id"]] and any(may_begin(facts, w["id"], time, known) for w in moment.places(job))

    def _check_rule(self, facts: Facts, pending: list[Row], moment: Moment, now: int) -> None:
        """The rule by which the scheduler decides says the same."""
        held = Held()
        for job_id, lease in facts.leases.items():
            held.take(job_id, claims_of(lease))
        view = View(held, facts.rules, self._project_limit, moment.types)
        for job in pending:
            family = (tuple(moment.open_children(job)),) if job["waits_for_children"] else ()
            waiting = Waiting(
                job["id"], f"p{job['project_id']}", job["type"], claims_of(job), job["not_before"], *family
            )
            wanted, said = self._seen[job["id"]], told(obstacles(waiting, view, now))
            if said != wanted:
                self._broken(f"job {job['id']} is kept by {wanted}, and the rule says {said}")

    def check_explained(self, facts: Facts, now: int, reasons: dict[int, list[WaitingFor]]) -> None:
        """What people are told is what is the case, and never nothing."""
        moment = self.moment(facts, now)
        self.explained = {job["id"]: moment.reasons(job) for job in facts.pending()}
        for job_id, wanted in self.explained.items():
            said = told(reasons.get(job_id, ()))
            if not said:
                self._broken(f"job {job_id} waits and nothing says why")
            if said != (wanted or [(Reason.TURN,)]):
                self._broken(f"job {job_id} is kept by {wanted}, and people are told {said}")
