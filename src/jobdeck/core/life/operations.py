"""What a person may do to a job, and what comes of it: the table of operations as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from jobdeck.core.errors import OperationRefused
from jobdeck.core.life.states import ENDED, FINAL, State


class Operation(StrEnum):
    """The verbs of API, CLI and pages."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    DELETE = "delete"


ALLOWED: dict[State, frozenset[Operation]] = {
    State.PENDING: frozenset({Operation.CANCEL, Operation.PAUSE}),
    State.RUNNING: frozenset({Operation.CANCEL, Operation.PAUSE, Operation.RESTART}),
    State.PAUSING: frozenset({Operation.CANCEL}),
    State.PAUSED: frozenset({Operation.CANCEL, Operation.RESUME, Operation.RESTART}),
    State.CANCELING: frozenset(),
    State.FAILED: frozenset({Operation.CANCEL, Operation.RESUME, Operation.RESTART, Operation.DELETE}),
    State.SUCCEEDED: frozenset({Operation.DELETE}),
    State.CANCELED: frozenset({Operation.DELETE}),
}

PAST: Mapping[str, str] = {
    Operation.CANCEL: "canceled",
    Operation.PAUSE: "paused",
    Operation.RESUME: "resumed",
    Operation.RESTART: "restarted",
    Operation.DELETE: "deleted",
}
"""What is said of a job to which it was done."""

BECAUSE: Mapping[str, str] = {
    "parent": "because its parent was canceled",
    "subject_gone": "because the object it works on is gone",
    "subject_changed": "because the object it works on was changed, so that its plan no longer fits",
    "quota": "because a quota was reached",
}
"""What is said of a job that was paused or canceled by something else than a person, by the cause."""

_ENDED_WORDS = {
    State.SUCCEEDED: "it has succeeded",
    State.CANCELED: "it was canceled",
    State.FAILED: "it has failed",
}

_EFFECT: dict[Operation, frozenset[State]] = {
    Operation.CANCEL: frozenset({State.CANCELING, State.CANCELED}),
    Operation.PAUSE: frozenset({State.PAUSING, State.PAUSED}),
}
"""States in which the operation's effect is plainly there or under way, whoever brought it about."""

_EFFECT_OF_REPEAT: dict[Operation, frozenset[State]] = {
    Operation.RESUME: frozenset({State.PENDING, State.RUNNING}),
    Operation.RESTART: frozenset({State.PENDING, State.CANCELING}),
}
"""States that are the operation's effect only if that operation was the last one asked for."""


class Intent(StrEnum):
    """Why a job is `canceling`: for good, or to start again."""

    CANCEL = "cancel"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Subject:
    """The facts about a job that an operation depends on."""

    id: int
    state: State
    leased: bool
    """A worker holds it: work may be alive."""
    leftovers: bool
    """Something half made may lie about, so ending it for good needs `undo` on a worker first."""
    unfinished_children: int = 0
    last_operation: str | None = None


@dataclass(frozen=True, slots=True)
class OperationEffect:
    """The job goes to `to`; `intent` is set when that is `canceling`."""

    to: State
    intent: Intent | None = None
    new_attempt: bool = False


@dataclass(frozen=True, slots=True)
class Already:
    """The effect is there; the request succeeds and changes nothing."""


def allowed(job: Subject) -> frozenset[Operation]:
    """The operations that `job` allows. A job on its way to start again can still be canceled for good."""
    return ALLOWED[job.state] | ({Operation.CANCEL} if _is_restarting(job) else frozenset())


def _is_restarting(job: Subject) -> bool:
    return job.state is State.CANCELING and job.last_operation == Operation.RESTART


def decide(operation: Operation, job: Subject) -> OperationEffect | Already:
    """The outcome of asking `operation` of `job`; raises OperationRefused where the table says no."""
    if is_already(operation, job):
        return Already()
    if operation not in allowed(job):
        raise refusal(operation, job)
    match operation:
        case Operation.CANCEL:
            return _cancel(job)
        case Operation.PAUSE:
            return OperationEffect(State.PAUSING if job.leased else State.PAUSED)
        case Operation.RESUME:
            return OperationEffect(State.PENDING)
        case Operation.RESTART:
            if job.leased:
                return OperationEffect(State.CANCELING, Intent.RESTART)
            return OperationEffect(State.PENDING, new_attempt=True)
        case Operation.DELETE:
            if job.unfinished_children:
                raise refusal(operation, job)
            return OperationEffect(job.state)
        case _:
            assert_never(operation)


def _cancel(job: Subject) -> OperationEffect:
    if job.leased or job.leftovers or job.unfinished_children:
        return OperationEffect(State.CANCELING, Intent.CANCEL)
    return OperationEffect(State.CANCELED)


def is_already(operation: Operation, job: Subject) -> bool:
    """Whether asking again would change nothing because the effect is there."""
    if job.state in _EFFECT.get(operation, frozenset()):
        return not _is_restarting(job)
    repeated = job.last_operation == operation
    return repeated and job.state in _EFFECT_OF_REPEAT.get(operation, frozenset())


def refusal(operation: Operation, job: Subject) -> OperationRefused:
    """The error for an operation that the job's state does not allow."""
    now_allowed = sorted(o for o in allowed(job) if is_offered(o, job))
    return OperationRefused(
        f"Job {job.id} cannot be {PAST[operation]}: {why_not(operation, job)}.",
        hint=_what_can_be_done(operation, job, now_allowed),
        state=str(job.state),
        operation=str(operation),
        allowed=[str(o) for o in now_allowed],
    )


def _what_can_be_done(operation: Operation, job: Subject, now_allowed: list[Operation]) -> str:
    if not now_allowed:
        return "Nothing can be done with it now."
    *most, last = (PAST[o] for o in now_allowed)
    can = f"It can be {', '.join(most)} or {last}." if most else f"It can be {last}."
    anew = job.state in FINAL and operation in (Operation.RESUME, Operation.RESTART)
    return f"{can} To have its work done once more, run it again as a new job." if anew else can


def how_it_is(state: State) -> str:
    """`it is running`, `it has succeeded`: the state as the end of a sentence."""
    return _ENDED_WORDS.get(state, f"it is {state}")


def why_not(operation: Operation, job: Subject) -> str:
    """The reason, as the end of a sentence, why `operation` is not on offer for `job`."""
    if operation is Operation.DELETE and job.state in ENDED:
        return f"{job.unfinished_children} of its children have not ended"
    if operation is Operation.DELETE:
        return f"it is {job.state} and may still run; cancel it first"
    return how_it_is(job.state)


def is_offered(operation: Operation, job: Subject) -> bool:
    """Whether a person should be shown this operation as possible now."""
    if operation is Operation.DELETE and job.unfinished_children:
        return False
    return operation in allowed(job)
