"""Every change of a job's state, made by a named function and carrying its event. Nothing else builds one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.endings import Broke, Ending, Finished, Halted, HandedBack, RetryLater, WorkerLost
from jobdeck.core.life.job import NO_CHILDREN, ChildPolicy, Children, Job
from jobdeck.core.life.operations import Already, Intent, Operation, decide
from jobdeck.core.life.states import ALIVE, ENDED, State
from jobdeck.core.retry import LOSSES_IN_A_ROW, losses_exhausted


class Transition(NamedTuple):
    """The job after the change, and the event that tells of it."""

    job: Job
    kind: str
    data: Mapping[str, Any] = {}


def start(job: Job, worker: str, now: int) -> Transition:
    """A worker gets the job: a new lease, a new epoch."""
    after = _enter(
        job, State.RUNNING, now, epoch=job.epoch + 1, leased=True, worker=worker,
        started_at=job.started_at or now, not_before=None, retry=None,
    )  # fmt: skip
    return Transition(after, "started", {"worker": worker, "attempt": job.attempt, "epoch": after.epoch})


def start_undo(job: Job, worker: str) -> Transition:
    """A worker gets a `canceling` job that nobody holds, to remove its leftovers."""
    after = replace(job, epoch=job.epoch + 1, leased=True, worker=worker)
    return Transition(after, "undoing", {"worker": worker, "epoch": after.epoch})


def operate(
    job: Job,
    operation: Operation,
    now: int,
    *,
    reason: str | None = None,
    cause: str = "user",
    resume_at: int | None = None,
    unfinished_children: int = 0,
) -> Transition | None:
    """What asking `operation` does to the job; None when its effect is there. Raises OperationRefused."""
    change = decide(operation, job.subject(unfinished_children))
    if isinstance(change, Already):
        return None
    asked = replace(job, last_operation=str(operation), reason=reason, cause=cause, resume_at=None)
    data = {k: v for k, v in (("reason", reason), ("cause", cause)) if v and v != "user"}
    match change.to:
        case State.CANCELING:
            canceling = _enter(asked, State.CANCELING, now, intent=change.intent, losses=0)
            return Transition(canceling, "canceling", data)
        case State.CANCELED:
            return _canceled(asked, now, data)
        case State.PAUSING | State.PAUSED:
            paused = _enter(asked, change.to, now, resume_at=resume_at)
            return Transition(paused, str(change.to), data)
        case _ if operation is Operation.RESTART:
            return _restarted(asked, now)
        case _:
            return _resumed(asked, now)


def settle(job: Job, ending: Ending, now: int, children: Children = NO_CHILDREN) -> Transition:
    """What follows from the way a run on a worker ended, whatever was asked of the job meanwhile."""
    if isinstance(ending, Finished):
        if job.intent is Intent.CANCEL and _keeps_from_success(job, children):
            return _halted(replace(job, leased=False, dirty_since=0), Halted(undone=True), now, children)
        return _finished(replace(job, leased=False, result=ending.result, dirty_since=0), now, children)
    free = replace(job, leased=False)
    match ending:
        case Broke() if job.state is not State.CANCELING:
            return _broke(free, ending.error, now, children)
        case RetryLater() if job.state is State.RUNNING:
            error = ending.error
            retry = dataclasses.asdict(ending.retry) if ending.retry is not None else {}
            data = {"code": error.code, "message": error.message, "at": ending.at, **retry}
            waiting = _pend(replace(free, error=error, retry=json.dumps(retry) if retry else None), now)
            return Transition(replace(waiting, not_before=ending.at), "retrying", data)
        case WorkerLost(last_begun) if job.state is State.RUNNING:
            return _lost(free, now, children, last_begun)
        case WorkerLost() if job.state is State.CANCELING:
            return _lost_while_canceling(free, now, children)
        case Halted():
            clean = ending.undone and ending.trouble is None
            return _halted(replace(free, dirty_since=0 if clean else job.dirty_since), ending, now, children)
        case HandedBack() | WorkerLost() | RetryLater() | Broke():
            return _halted(free, Halted(), now, children)
        case _:
            assert_never(ending)


def family_settled(job: Job, now: int, children: Children) -> Transition | None:
    """What becomes of a parent that nobody runs once its children have changed; None when it goes on waiting."""
    if job.leased or children.unfinished:
        return None
    if job.state is State.CANCELING and not job.dirty_since:
        return _halted(job, Halted(), now, children)
    if job.state is State.PENDING and job.waits_for_children:
        if job.error is not None:
            return _failed(job, job.error, now)
        return _family_ended(job, now, children)
    return None


def _keeps_from_success(job: Job, children: Children) -> bool:
    return children.unfinished > 0 or (bool(children.failed) and job.on_child_failure is ChildPolicy.FAIL)


def _finished(job: Job, now: int, children: Children) -> Transition:
    """A cancel or restart that came after the last step had succeeded came too late: the result is there.

    Except that a family which is being canceled, so that the job could not succeed, ends canceled."""
    if children.unfinished:
        waiting = replace(_pend(job, now), waits_for_children=True, error=None)
        return Transition(waiting, "waiting_for_children", {"unfinished": children.unfinished})
    return _family_ended(job, now, children)


def _family_ended(job: Job, now: int, children: Children) -> Transition:
    if children.failed and job.on_child_failure is ChildPolicy.FAIL:
        return _failed(job, _child_failed(children), now)
    more = len(children.failed) if job.on_child_failure is ChildPolicy.WARN else 0
    after = _enter(
        job, State.SUCCEEDED, now, fraction=1.0, error=None, cause=None, reason=None,
        waits_for_children=False, dirty_since=0, warnings=job.warnings + more,
    )  # fmt: skip
    return Transition(after, "succeeded", {"warnings": after.warnings} if after.warnings else {})


def _child_failed(children: Children) -> ErrorInfo:
    names = ", ".join(str(i) for i in children.failed[:10])
    return ErrorInfo(
        "child_failed",
        f"{len(children.failed)} of its child jobs did not succeed: {names}.",
        "Resume or restart those jobs first, then resume this one.",
    )


def _broke(job: Job, error: ErrorInfo, now: int, children: Children) -> Transition:
    if children.unfinished:
        waiting = replace(_pend(job, now), waits_for_children=True, error=error)
        return Transition(waiting, "waiting_for_children", {"unfinished": children.unfinished, "code": error.code})
    return _failed(job, error, now)


def _failed(job: Job, error: ErrorInfo, now: int) -> Transition:
    after = _enter(job, State.FAILED, now, error=error, cause=None, reason=None, waits_for_children=False)
    data = {"code": error.code, "message": error.message, "fingerprint": error.fingerprint}
    return Transition(after, "failed", data)


def _lost(job: Job, now: int, children: Children, last_begun: bool) -> Transition:
    losses = job.losses + 1
    if losses_exhausted(losses) and last_begun:
        error = ErrorInfo(
            "worker_lost",
            f"Its worker died {losses} times in a row without progress, the last one was {job.worker}.",
            "Look at the worker's memory and log; then resume the job.",
        )
        return _broke(replace(job, losses=losses), error, now, children)
    return Transition(_pend(replace(job, losses=losses), now), "worker_lost", {"worker": job.worker, "losses": losses})


def _lost_while_canceling(job: Job, now: int, children: Children) -> Transition:
    """Removing leftovers is tried again on another worker, but not for ever: it may be what kills them."""
    lost = replace(job, losses=job.losses + 1)
    trouble = None
    if lost.dirty_since and losses_exhausted(lost.losses):
        trouble = f"Leftovers were not removed: its worker died {LOSSES_IN_A_ROW} times, the last one was {job.worker}."
    return _halted(lost, Halted(trouble=trouble), now, children)


def _halted(job: Job, ending: Halted, now: int, children: Children) -> Transition:
    """The work is dead; go where the last request pointed."""
    if job.state is State.PAUSING:
        return Transition(_enter(job, State.PAUSED, now), "paused")
    if job.state is not State.CANCELING:
        return Transition(_pend(job, now), "handed_back", {"worker": job.worker})
    if job.intent is Intent.RESTART:
        return _restarted(job, now)
    if ending.trouble:
        job = replace(job, warnings=job.warnings + 1, dirty_since=0)
    if job.dirty_since or children.unfinished:
        return Transition(job, "stopped")
    return _canceled(job, now, {"leftovers": ending.trouble} if ending.trouble else {})


def _canceled(job: Job, now: int, data: Mapping[str, Any]) -> Transition:
    after = _enter(job, State.CANCELED, now, not_before=None, waits_for_children=False, result=None)
    return Transition(after, "canceled", {**data, "cause": job.cause} if job.cause else data)


def _restarted(job: Job, now: int) -> Transition:
    """From the first step, as a new attempt. Leftovers of earlier attempts are undone when it starts."""
    fresh = replace(
        _pend(job, now), attempt=job.attempt + 1, fraction=0.0, error=None, cause=None, reason=None, warnings=0,
        losses=0, result=None, waits_for_children=False, not_before=None, code=None, retry=None,
    )  # fmt: skip
    return Transition(fresh, "restarted", {"attempt": fresh.attempt})


def _resumed(job: Job, now: int) -> Transition:
    again = replace(
        _pend(job, now), error=None, cause=None, reason=None, losses=0, not_before=None, code=None, retry=None,
        # A job that broke and waited only for its children to end has steps to run again.
        waits_for_children=job.waits_for_children and job.error is None,
    )  # fmt: skip
    return Transition(again, "resumed")


def _pend(job: Job, now: int) -> Job:
    """Back to the queue; `order_key` stays, so what was interrupted does not start at the back."""
    return _enter(job, State.PENDING, now, queued_at=now)


def _enter(job: Job, to: State, now: int, **also: Any) -> Job:
    """Book the time spent in the state that is left, note the new one, and change what `also` says."""
    spent = max(0, now - job.state_since)
    changes: dict[str, Any] = {
        "state": to,
        "state_since": now,
        "intent": job.intent if to is State.CANCELING else None,
        "resume_at": job.resume_at if to is State.PAUSED else None,
        "ended_at": now if to in ENDED else None,
    }
    if job.state is State.PENDING:
        changes["queued_us"] = job.queued_us + spent
    elif job.state in ALIVE:
        changes["running_us"] = job.running_us + spent
    elif job.state is State.PAUSED:
        changes["paused_us"] = job.paused_us + spent
    return replace(job, **changes | also)


def replace(job: Job, **changes: Any) -> Job:
    """The job with some fields changed."""
    values: list[Any] = list(job)
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Job._make(values)


_PLACES = {name: place for place, name in enumerate(Job._fields)}
