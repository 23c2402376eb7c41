"""How values read on a terminal: times in the local zone, sizes, rates, durations; never a control character."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jobdeck.core import amounts
from jobdeck.core.life.states import State

if TYPE_CHECKING:
    from jobdeck.wire.jobs import Job, ProgressView

duration, number, percent, size = amounts.duration, amounts.number, amounts.percent, amounts.size
"""The words that all surfaces share."""

MARKS = {
    State.PENDING: "·",
    State.RUNNING: "▶",
    State.PAUSING: "‖",
    State.PAUSED: "‖",
    State.CANCELING: "□",
    State.FAILED: "✘",
    State.SUCCEEDED: "✔",
    State.CANCELED: "■",
}

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, moves of the cursor
    r"|\x1b\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\)"  # titles, links
    r"|\x1b[()][0-9A-B]"  # sets of characters
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: object) -> str:
    """`text` without what could command a terminal or turn its writing direction; tabs and new lines stay."""
    return _CONTROL.sub("�", str(text))


def plain(text: object) -> str:
    """As `clean`, of what a program printed: the colours and titles that it meant for a terminal are left out."""
    return clean(_ESCAPES.sub("", str(text)))


def line(text: object) -> str:
    """`text` on one line."""
    return " ".join(clean(text).split())


def told(data: Mapping[str, object]) -> str:
    """What an event has to tell beside the state: `from=failed, reason=…`."""
    return line(", ".join(f"{name}={value}" for name, value in data.items() if name != "state" and value is not None))


def state(job: Job) -> str:
    """The state as a shape and a word, with the number of warnings of a job that succeeded with some."""
    mark = MARKS.get(job.state, "?")
    warned = f" ({job.warnings} warnings)" if job.state is State.SUCCEEDED and job.warnings else ""
    return f"{mark} {job.state}{warned}"


def moment(at: datetime | None) -> str:
    """A time in the local zone, to the second."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(at: datetime) -> str:
    """The time of day in the local zone, with the day where it is not today."""
    local = at.astimezone()
    today = datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def amount(progress: ProgressView) -> str:
    """`1 200 / 4 000 rows`; empty where there is nothing to count."""
    if not progress.done and not progress.total:
        return ""
    if progress.unit == "bytes":
        done, total = size(progress.done), size(progress.total)
        return f"{done} / {total}" if total else done
    total = f" / {number(progress.total)}" if progress.total is not None else ""
    return f"{number(progress.done)}{total} {progress.unit}".rstrip()


def rate(progress: ProgressView) -> str:
    """`1 200 rows/s`; empty where it is not known."""
    if not progress.rate:
        return ""
    if progress.unit == "bytes":
        return f"{size(progress.rate)}/s"
    return f"{number(progress.rate)} {progress.unit or 'units'}/s"


def left(progress: ProgressView) -> str:
    """`3 min 20 s left`; empty where it is not known or over."""
    if progress.eta is None:
        return ""
    rest = progress.eta - datetime.now().astimezone()
    return f"{duration(rest.total_seconds())} left" if rest > timedelta(0) else ""
