"""Why a job is as it is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobdeck.cli.show import text
from jobdeck.core.errors import tells_more
from jobdeck.core.life.operations import BECAUSE
from jobdeck.core.life.states import State

if TYPE_CHECKING:
    from jobdeck.wire.jobs import ErrorView, Job, WaitReason


def reasons(job: Job) -> Iterator[str]:
    """Why it waits, failed, or was stopped, and where its warnings are, a sentence each."""
    yield from dict.fromkeys(waits(wait) for wait in job.wait)
    if job.error is not None:
        yield from _error(job.error, told=job.retry is not None and bool(job.wait))
    if job.leftovers:
        yield f"left: {text.line(job.leftovers)}"
        yield f"hint: Remove it by hand; `jobdeck job logs {job.id}` shows why."
    if job.cause:
        yield _stopped(job)
    if job.state is State.SUCCEEDED and job.warnings:
        yield f"hint: `jobdeck job logs {job.id} --level warning` shows its {text.counted(job.warnings, 'warning')}."


def why(job: Job) -> str:
    """The same in one line of a list: what it waits for first and for whom, how it failed, who stopped it."""
    if job.wait:
        more = f" (and {len(job.wait) - 1} more)" if len(job.wait) > 1 else ""
        return f"{waits(job.wait[0])}{more}"
    if job.error is not None:
        return text.line(job.error.message)
    return text.line(job.reason or "")


def waits(wait: WaitReason) -> str:
    """What it waits for, and until when where that is known."""
    until = f" ({text.moment(wait.until)})" if wait.until else ""
    return text.line(wait.text) + until


def _error(error: ErrorView, *, told: bool) -> Iterator[str]:
    """`told`: the reason why it waits has the message."""
    if not told:
        yield f"{text.line(error.message)} [{text.line(error.code)}]"
    if error.hint:
        yield f"hint: {text.line(error.hint)}"
    if tells_more(error.code, error.traceback):
        yield from (text.clean(line).rstrip() for line in (error.traceback or "").rstrip().splitlines())


def _stopped(job: Job) -> str:
    """`Paused by a person: lunch.`"""
    done = {State.PAUSED: "Paused", State.PAUSING: "Being paused", State.CANCELING: "Being stopped"}
    who = "by a person" if job.cause == "user" else BECAUSE.get(str(job.cause), f"by {text.line(job.cause)}")
    why = f": {text.line(job.reason).rstrip('.')}" if job.reason else ""
    return f"{done.get(State(job.state), 'Canceled')} {who}{why}."
