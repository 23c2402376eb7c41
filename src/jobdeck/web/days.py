"""Yesterday, as far as a server knows it: a browser says which day that is for its reader (assets/yesterday.ts)."""

from __future__ import annotations

from datetime import datetime, timedelta

_SLACK = timedelta(hours=1)
"""Days on which clocks change have 23 or 25 hours."""


def yesterday(now: datetime) -> tuple[str, str]:
    """Its begin and end in UTC, for browsers without scripts."""
    end = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return _text(end - timedelta(days=1)), _text(end)


def is_yesterday(since: str | None, until: str | None, now: datetime) -> bool:
    """Whether a range is a day that ended less than a day ago, so that it can be yesterday somewhere."""
    begin, end = _moment(since), _moment(until)
    if begin is None or end is None:
        return False
    return abs(end - begin - timedelta(days=1)) <= _SLACK and timedelta(0) <= now - end < timedelta(days=1) + _SLACK


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text and "T" in text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
