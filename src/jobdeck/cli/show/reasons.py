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


IN_A_LIST, ALONE = 300, 2000
"""Characters of an error's message that are shown, and of each line of its traceback; `-o json` has all of it."""


def reasons(job: Job, *, whole: bool = False) -> Iterator[str]:
    """Why it waits, failed, or was stopped, and where its warnings are, a sentence each; errors `whole` or cut."""
    yield from dict.fromkeys(waits(wait) for wait in job.wait)
    if job.error is not None:
        yield from _error(job.error, job.id, told=job.retry is not None and bool(job.wait), whole=whole)
    if job.leftovers:
        yield f"left: {text.line(job.leftovers)}"
        yield f"hint: Remove it by hand; `jobdeck job logs {job.id}` shows why."
    if job.cause:
        yield _stopped(job)
    rejected = job.result.get("rejected") if isinstance(job.result, dict) else None
    if rejected and isinstance(rejected, int):
        yield f"hint: `jobdeck job rejects {job.id}` shows the {text.counted(rejected, 'row')} that it did not take."
    if job.state is State.SUCCEEDED and job.warnings:
        yield f"hint: `jobdeck job logs {job.id} --level warning` shows its {text.counted(job.warnings, 'warning')}."


def why(job: Job) -> str:
    """The same in one line of a list: what it waits for first and for whom, how it failed, who stopped it."""
    if job.wait:
        more = f" (and {len(job.wait) - 1} more)" if len(job.wait) > 1 else ""
        return f"{waits(job.wait[0])}{more}"
    if job.error is not None:
        return clipped(text.line(job.error.message), IN_A_LIST)
    return text.line(job.reason or "")


def waits(wait: WaitReason) -> str:
    """What it waits for, and until when where that is known."""
    until = f" ({text.moment(wait.until)})" if wait.until else ""
    return text.line(wait.text) + until


def clipped(told: str, most: int) -> str:
    """`told`, or its beginning with what is left out."""
    return told if len(told) <= most else f"{told[:most]}… ({len(told) - most:,} more characters)"


def _error(error: ErrorView, job: int, *, told: bool, whole: bool) -> Iterator[str]:
    """`told`: the reason why it waits has the message."""
    message = text.line(error.message)
    if not told:
        yield f"{message if whole else clipped(message, ALONE)} [{text.line(error.code)}]"
        if not whole and len(message) > ALONE:
            yield f"hint: `jobdeck job show {job} --full` shows all of it."
    if error.hint:
        yield f"hint: {text.line(error.hint)}"
    if tells_more(error.code, error.traceback):
        lines = (text.clean(line).rstrip() for line in (error.traceback or "").rstrip().splitlines())
        yield from (line if whole else clipped(line, ALONE) for line in lines)


def _stopped(job: Job) -> str:
    """`Paused by a person: lunch.`"""
    done = {State.PAUSED: "Paused", State.PAUSING: "Being paused", State.CANCELING: "Being stopped"}
    who = "by a person" if job.cause == "user" else BECAUSE.get(str(job.cause), f"by {text.line(job.cause)}")
    why = f": {text.line(job.reason).rstrip('.')}" if job.reason else ""
    return f"{done.get(State(job.state), 'Canceled')} {who}{why}."
