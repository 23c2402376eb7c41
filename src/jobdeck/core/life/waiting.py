"""Why a job waits, and who goes first: the rules by which the scheduler decides are those that answer people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from jobdeck.core.claims import Claim, Holding, Mode, fits, is_shared, local_name, qualify
from jobdeck.core.life.endings import Retry
from jobdeck.core.retry import LOSSES_IN_A_ROW
from jobdeck.core.values import clip

SHOWN_HOLDERS = 20
"""Holders named in one reason at most; the text says how many there are."""


MAX_TOLD = 500
"""Characters of an error that a reason repeats."""


class Reason(StrEnum):
    """Kinds of wait reasons, in the order in which they are looked at."""

    NOT_BEFORE = "not_before"
    PAUSED_SCOPE = "paused_scope"
    DEPENDENCY = "dependency"
    CLAIM = "claim"
    NO_WORKER = "no_worker"
    TURN = "turn"


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """One thing a pending job waits for, with the ids of the jobs that hold what it needs."""

    reason: Reason
    text: str
    resource: str | None = None
    capacity: int | None = None
    holders: tuple[int, ...] = ()
    until: int | None = None
    number: int | None = field(default=None, compare=False)
    """The job's place, from 1: among those that need the resource, or of a turn in the queue of its project."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The facts of a pending job that decide whether it can start."""

    id: int
    project: str
    type: str
    claims: tuple[Claim, ...]
    not_before: int | None = None
    depends_on: tuple[int, ...] | None = None
    """Of a job that has only its children to wait for: those that have not ended; None of any other job."""
    failed: str | None = None
    """Of a job between two tries: what failed and which try comes, for people."""


@dataclass(frozen=True, slots=True)
class ScopePause:
    """Work is held back in `scope` (`instance`, `project:p`, `type:t`) by a person, with a reason."""

    scope: str
    by: str
    reason: str | None


class World(Protocol):
    """What the decision sees of the rest of the system."""

    def holding(self, resource: str) -> Holding: ...
    def capacity(self, resource: str) -> int | None: ...
    @property
    def paused(self) -> Mapping[str, ScopePause]: ...
    def can_run(self, type_name: str) -> bool:
        """Whether a live worker can run this type at all, busy or not."""
        ...


def obstacles(job: Waiting, world: World, now: int, viewer: str | None = None) -> Iterator[WaitingFor]:
    """What keeps `job` from starting at `now` (µs), most fundamental first; nothing when it can start.

    `viewer` is the project that the reader of the reasons is bound to: they tell nothing of other projects then."""
    if job.not_before is not None and job.not_before > now:
        yield WaitingFor(Reason.NOT_BEFORE, job.failed or "It is not to start before its time.", until=job.not_before)
    if world.paused:
        yield from _paused_scopes(job, world)
    if job.depends_on is not None:
        yield _dependency(job.depends_on)
    for claim in job.claims:
        holding = world.holding(claim.resource)
        capacity = world.capacity(claim.resource)
        if not fits(claim, holding, capacity):
            hides = viewer is not None and is_shared(claim.resource)
            yield _hidden_claim(claim, world, viewer) if hides else _claim(claim, holding, capacity)
    if not world.can_run(job.type):
        nobody = f"No worker takes jobs of type '{job.type}' now; start one, or undrain one that drains."
        yield WaitingFor(Reason.NO_WORKER, nobody)


def between_tries(retry: Retry, message: str) -> str:
    """`Step 'load', task a.csv, failed: … Try 2 of 3 comes next.`"""
    task = "" if retry.key in ("", f"{retry.step}[0]") else f", task {retry.key},"
    ended = clip(message.strip(), MAX_TOLD)
    stop = "" if ended.endswith((".", "!", "?", "…")) else "."
    return f"Step '{retry.step}'{task} failed: {ended}{stop} Try {retry.number} of {retry.of} comes then."


class Places(StrEnum):
    """How the workers' places stand for a job."""

    FREE = "a worker has a place free"
    """The next decision starts it, or those before it take them all."""
    KEPT = (
        "the places that are free are kept for a while, because a job whose workers were lost starts apart from others"
    )
    TAKEN = "all places for it on workers are taken"


def turn(*, places: Places, number: int | None, losses: int = 0) -> WaitingFor:
    """The reason of a job that has no obstacle: it waits for its place in the order, or for one on a worker.

    `number` counts in the queue of its project: by priority and age, those who wait for a time or children left out."""
    if is_suspect(losses):
        apart = f"Its worker was lost {losses} times in a row, so it starts apart from other jobs, in a moment."
        return WaitingFor(Reason.TURN, apart)
    queue = f" It is number {number} in its project's queue." if number else ""
    return WaitingFor(Reason.TURN, f"It can run and waits for its turn; {places}.{queue}", number=number)


def _paused_scopes(job: Waiting, world: World) -> Iterator[WaitingFor]:
    for scope in ("instance", f"project:{job.project}", f"type:{job.type}"):
        pause = world.paused.get(scope)
        if pause is not None:
            because = f": {pause.reason}" if pause.reason else ""
            yield WaitingFor(Reason.PAUSED_SCOPE, f"{scope} was paused by {pause.by}{because}.", resource=scope)


def _dependency(children: tuple[int, ...]) -> WaitingFor:
    if not children:
        return WaitingFor(Reason.DEPENDENCY, "The jobs that it waited for have ended; it ends in a moment, too.")
    shown = children[:SHOWN_HOLDERS]
    names = ", ".join(str(i) for i in shown)
    more = len(children) - len(shown)
    tail = f" and {more} more" if more else ""
    return WaitingFor(Reason.DEPENDENCY, f"It waits for job {names}{tail} to end.", holders=shown)


def _claim(claim: Claim, holding: Holding, capacity: int | None) -> WaitingFor:
    holders = tuple(sorted(holding.units))[:SHOWN_HOLDERS]
    return WaitingFor(
        Reason.CLAIM,
        _claim_text(claim, holding, capacity),
        resource=local_name(claim.resource),
        capacity=1 if capacity is None and (claim.mode is Mode.EXCLUSIVE or holding.exclusive) else capacity,
        holders=holders,
    )


def seen_by(viewer: str, holding: Holding, world: World) -> list[int]:
    """The jobs among the holders that are the viewer's project's."""
    return sorted(holding.units.keys() & world.holding(qualify(viewer, "project")).units.keys())


def _hidden_claim(claim: Claim, world: World, viewer: str | None) -> WaitingFor:
    """What all projects share is full. Neither how full nor by whom is told, nor whether any other project is at work;
    only which jobs of the viewer's own hold it."""
    own = seen_by(viewer or "", world.holding(claim.resource), world)[:SHOWN_HOLDERS]
    text = f"{local_name(claim.resource)}, which all projects share, is in use up to its limit."
    if own:
        text += f" Of your project, {_named(own)} it."
    return WaitingFor(Reason.CLAIM, text, resource=local_name(claim.resource), holders=tuple(own))


def _claim_text(claim: Claim, holding: Holding, capacity: int | None) -> str:
    name = local_name(claim.resource)
    if claim.mode is Mode.EXCLUSIVE and holding.units:
        return f"It needs {name} for itself, and {_holders(holding)} it."
    if holding.exclusive:
        return f"{name} is held exclusively by job {min(holding.exclusive)}."
    if capacity is not None and claim.units > capacity:
        return f"It needs {claim.units} of {name}, whose limit is {capacity}; raise the limit."
    return f"{holding.used} of {capacity} of {name} are in use, and it needs {claim.units}: {_holders(holding)} it."


def _holders(holding: Holding) -> str:
    """`job 3 holds`, `jobs 3, 4 and 5 more hold`: who is in the way, by number."""
    return _named(sorted(holding.units))


def _named(jobs: Sequence[int]) -> str:
    named = jobs[:3]
    more = len(jobs) - len(named)
    if len(named) == 1 and not more:
        return f"job {named[0]} holds"
    tail = f" and {more} more" if more else ""
    return f"jobs {', '.join(str(i) for i in named)}{tail} hold"


LOWEST_PRIORITY, DEFAULT_PRIORITY, HIGHEST_PRIORITY = 0, 5, 9

AGEING = 300_000_000
"""Microseconds of waiting that are worth one step of priority, so that none starves."""


def order_key(queued_at: int, priority: int) -> int:
    """The smaller, the sooner, within one project.

    A step of priority counts as having queued AGEING earlier. So a job gains on later ones of higher priority as it
    ages, while the key itself never changes: a heap or a database index can hold it."""
    return queued_at - priority * AGEING


def share(running: int, weight: float) -> float:
    """How much of its fair part a project uses; the project with the smallest share goes first."""
    return running / weight


SETTLED = 10.0
"""Seconds after which a job that runs is not thought to kill its worker."""


SUSPECT_LOSSES = LOSSES_IN_A_ROW - 1
"""Losses in a row from which on a job begins apart from others: the next one makes it fail, and it is blamed alone."""


def is_suspect(losses: int) -> bool:
    """Whether a job that lost its worker so often in a row begins apart from others."""
    return losses >= SUSPECT_LOSSES


def settles_after(losses: int) -> float:
    """Seconds from its start for which nobody joins a job that lost its worker `losses` times in a row; longer each
    time, until it is alone where it dies. For others: after which they are not in a suspect's way."""
    again = max(0, losses - LOSSES_IN_A_ROW + 1)
    return SETTLED if not is_suspect(losses) else 2 * SETTLED * 4.0 ** min(again, 6)
