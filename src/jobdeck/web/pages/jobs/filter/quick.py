"""The quick ranges above the list: the last hours and days, and yesterday, of when jobs began, ended, failed, …"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobdeck.services.jobs.queries import SortBy
from jobdeck.web.days import is_yesterday, yesterday
from jobdeck.web.pages.jobs.filter.query import DEFAULT_SORT, RANGES, JobsAddress


@dataclass(frozen=True, slots=True)
class Basis:
    """What a range is about. `filter`: the filter that it sets; `sort`: the order that goes with it."""

    key: str
    label: str
    filter: str
    names: tuple[str, str]
    sort: SortBy


CREATED = Basis("created", "Created", "created", ("since", "until"), DEFAULT_SORT)
STARTED = Basis("started", "Started", "started", ("started_since", "started_until"), "-started_at")
ENDED = Basis("ended", "Ended", "ended", ("ended_since", "ended_until"), "-ended_at")
FAILED = Basis("failed", "Failed", "ended", ("ended_since", "ended_until"), "-ended_at")
BASES = (CREATED, STARTED, ENDED, FAILED)


@dataclass(frozen=True, slots=True)
class QuickLink:
    """One of several, and the address that it leads to; `yesterday`: the parameters that a script sets to the day
    before today where the reader is."""

    text: str
    url: str
    is_current: bool
    yesterday: str = ""


def basis(address: JobsAddress) -> Basis:
    """What the ranges are about: what one is set of; else what the list is ordered by."""
    for candidate in (ENDED, STARTED, CREATED):
        if any(address.values(name) for name in candidate.names):
            return _failed_or(candidate, address)
    by = address.sort.lstrip("-")
    return _failed_or({"started_at": STARTED, "ended_at": ENDED}.get(by, CREATED), address)


def _failed_or(found: Basis, address: JobsAddress) -> Basis:
    return FAILED if found is ENDED and [str(s) for s in address.state] == ["failed"] else found


def is_quick(address: JobsAddress, now: datetime) -> bool:
    """Whether the range is one of those that are offered, or none."""
    since, until = _bounds(address)
    return (until is None and (since is None or since in RANGES)) or is_yesterday(since, until, now)


def _bounds(address: JobsAddress) -> tuple[str | None, str | None]:
    low, high = (next(iter(address.values(name)), None) for name in basis(address).names)
    return low, high


def bases(address: JobsAddress) -> list[QuickLink]:
    """The same range of another moment in the life of jobs."""
    present = basis(address)
    low, high = _bounds(address)
    found = []
    for other in BASES:
        changes: dict[str, object] = {
            **dict.fromkeys(present.names),
            **dict(zip(other.names, (low, high), strict=True)),
        }
        if other is FAILED:
            changes["state"] = ["failed"]
        elif present is FAILED:
            changes["state"] = None
        found.append(QuickLink(other.label, address.url(**changes, sort=other.sort), other is present))
    return found


def ranges(address: JobsAddress, now: datetime) -> list[QuickLink]:
    """The ranges to choose from."""
    names = basis(address).names
    low, high = _bounds(address)
    found = [
        QuickLink(f"{r[:-1]} {r[-1]}", address.url(**{names[0]: r, names[1]: None}), low == r and not high)
        for r in RANGES
    ]
    begin, end = yesterday(now)
    day = address.url(**{names[0]: begin, names[1]: end})
    found.append(QuickLink("Yesterday", day, is_yesterday(low, high, now), " ".join(names)))
    found.append(QuickLink("All", address.url(**dict.fromkeys(names)), low is None and high is None))
    return found
