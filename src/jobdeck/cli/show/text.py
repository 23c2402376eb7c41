"""How values read on a terminal: times in the local zone, sizes, rates, durations; never a control character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jobdeck.core import amounts
from jobdeck.core.life.states import State

if TYPE_CHECKING:
    from jobdeck.wire.jobs import Job, ProgressView, TouchedObject

counted, duration, number, percent, size, units = (
    amounts.counted, amounts.duration, amounts.number, amounts.percent, amounts.size, amounts.units,
)  # fmt: skip
"""The words that all surfaces share."""

TIMES = ("at", "until", "not_before", "since")
"""Values of events that are times, beside those whose names end in `_at`."""
_EARLIEST, _LATEST = 10**15, 10**16
"""Between them lie the times (µs) of the years 2001 to 2286."""
_FAR = 30 * 86400
"""Seconds from which on a time is told by its date."""

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
    """What an event has to tell beside the state: `from=failed, reason=…`; times are told as times."""
    return line(
        ", ".join(
            f"{name}={_worth(name, value)}" for name, value in data.items() if name != "state" and value is not None
        )
    )


def _worth(name: str, value: object) -> object:
    """A value of an event: times are in µs there."""
    is_time = name in TIMES or name.endswith("_at")
    if is_time and isinstance(value, int) and _EARLIEST < value < _LATEST:
        return moment(datetime.fromtimestamp(value / 1_000_000, UTC))
    return value


def state(job: Job) -> str:
    """The state as a shape and a word, with the number of warnings of a job that succeeded with some."""
    mark = MARKS.get(job.state, "?")
    warned = f" ({counted(job.warnings, 'warning')})" if job.state is State.SUCCEEDED and job.warnings else ""
    return f"{mark} {job.state}{warned}"


def moment(at: datetime | None) -> str:
    """A time in the local zone, to the second."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """A time as people tell it from now: `12 s ago`, `3 h ago`, `in 5 min`; one that is far away by its date."""
    if at is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    if abs(seconds) >= _FAR:
        return at.astimezone().strftime("%Y-%m-%d")
    span = _span(abs(seconds))
    return f"{span} ago" if seconds > 0 else f"in {span}"


def _span(seconds: float) -> str:
    for unit, long in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= long:
            return f"{int(seconds // long)} {unit}"
    return f"{int(seconds)} s"


def cost(credits: float) -> str:
    """Credits to the hundredth; less than that is told as less."""
    return f"{credits:.2f}" if credits >= 0.01 else "less than 0.01"


def clock(at: datetime) -> str:
    """The time of day in the local zone, with the day where it is not today."""
    local = at.astimezone()
    today = datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def amount(progress: ProgressView) -> str:
    """`1 200 / 4 000 rows`; empty where there is nothing to count. What is whole is told by what was done alone:
    a total was an estimate, and 100 % of something smaller would be no answer."""
    if not progress.done and not progress.total:
        return ""
    if progress.fraction >= 1.0 and progress.done:
        return size(progress.done) if progress.unit == "bytes" else units(progress.done, progress.unit)
    if progress.unit == "bytes":
        done, total = size(progress.done), size(progress.total)
        return f"{done} / {total}" if total else done
    if progress.total is None:
        return units(progress.done, progress.unit)
    return f"{number(progress.done)} / {units(progress.total, progress.unit)}"


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


def objects(touched: Iterable[TouchedObject]) -> str:
    """What a job read or wrote: `lake/shop/orders (5 rows, version 0)`."""
    return ", ".join(_object(one) for one in touched)


def _object(touched: TouchedObject) -> str:
    rows = counted(touched.rows, "row") if touched.rows is not None else ""
    version = f"version {line(touched.version)}" if touched.version is not None else ""
    facts = ", ".join(fact for fact in (rows, version) if fact)
    return f"{line(touched.shown)}{f' ({facts})' if facts else ''}"
