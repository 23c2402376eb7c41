"""The filters of the list: what they are called, how they are asked for, and which values there are to choose from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from jobdeck.core.errors import NotFound
from jobdeck.core.filters.jobs import FILTERS as DEFINITIONS
from jobdeck.core.filters.rules import Control
from jobdeck.core.filters.rules import Filter as Definition
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import HIGHEST_PRIORITY, LOWEST_PRIORITY
from jobdeck.services.failures import FailureQuery
from jobdeck.services.jobs.queries import JobQuery
from jobdeck.web.page import PageContext
from jobdeck.web.pages.jobs.filter import quick
from jobdeck.web.pages.jobs.filter.query import JobsAddress

_LOOKED_AT = 200
"""Latest jobs whose values are suggested where there is no list of what there is."""
_MOST = 100


@dataclass(frozen=True, slots=True)
class FilterField:
    """A control of the filter."""

    key: str
    label: str
    kind: Control
    names: tuple[str, ...]
    """Its parameters in the address; of a range the lower bound and the upper one."""
    help: str = ""
    other: str = ""
    """What else may be typed, where that is not only what is offered."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that can be chosen."""

    value: str
    note: str = ""
    """What is said about it."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set."""

    filter: str
    label: str
    value: str
    url: str
    """The address without it."""
    is_time: bool = False


def _shown(f: Definition, control: Control) -> FilterField:
    """A filter as pages have it. The project is the one that the whole site looks at; the list's own are `projects`."""
    if f.key == "project":
        return FilterField("projects", f.label, control, ("projects",), f.hint, f.other)
    return FilterField(f.key, f.label, control, tuple(p.name for p in f.parameters), f.hint, f.other)


FILTERS: dict[str, FilterField] = {
    shown.key: shown for f in DEFINITIONS if f.control is not None for shown in [_shown(f, f.control)]
}


def offered(page: PageContext) -> list[FilterField]:
    """The filters that mean something to the one who looks; projects only while all of them are looked at."""
    return [f for f in FILTERS.values() if f.key != "projects" or page.project is None]


def chips(address: JobsAddress, now: datetime) -> list[Chip]:
    """What narrows the list and is not shown by a control of its own (state tabs, quick ranges, the search)."""
    found: list[Chip] = []
    is_told = quick.basis(address) is quick.CREATED and quick.is_quick(address, now)
    for f in FILTERS.values():
        if (f.key == "state" and len(address.state) == 1) or (f.key == "created" and is_told):
            continue
        if f.kind in ("span", "length"):
            found += _bounds(f, address)
        elif f.kind == "flag":
            found += [Chip(f.key, f.label, "yes", address.without(f.key))] if address.values(f.key) else []
        else:
            found += [Chip(f.key, f.label, v, address.without(f.key, v)) for v in address.values(f.key)]
    return found


def _bounds(f: FilterField, address: JobsAddress) -> list[Chip]:
    words = ("at least", "under") if f.kind == "length" else ("since", "until")
    return [
        Chip(f.key, f"{f.label} {word}", value, address.without(name), is_time="T" in value)
        for name, word in zip(f.names, words, strict=True)
        for value in address.values(name)
    ]


async def choices(page: PageContext, address: JobsAddress, f: FilterField) -> list[Choice]:
    """The values to offer, those that are set included."""
    known = await _known(page, address, f)
    values = {choice.value for choice in known}
    missing = [Choice(v) for name in f.names for v in address.values(name) if v not in values]
    return [*known, *(missing if f.kind == "many" else [])]


async def _known(page: PageContext, address: JobsAddress, f: FilterField) -> list[Choice]:
    services, caller = page.services, page.caller
    match f.key:
        case "state":
            return [Choice(str(state)) for state in State]
        case "priority":
            notes = {LOWEST_PRIORITY: "last", 5: "as usual", HIGHEST_PRIORITY: "first"}
            return [Choice(str(n), notes.get(n, "")) for n in range(HIGHEST_PRIORITY, LOWEST_PRIORITY - 1, -1)]
        case "type" | "category":
            return await _kinds(page, f.key)
        case "worker" | "host" if page.may("worker:read"):
            workers = (await services.workers.page(caller, None, _MOST)).items
            return _once(Choice(getattr(w, "name" if f.key == "worker" else "host"), w.state) for w in workers)
        case "projects":
            projects = (await services.projects.page(caller, None, _MOST)).items
            return [Choice(p.name, p.title if p.title != p.name else "") for p in projects]
        case "error":
            failures = await services.failures.page(caller, FailureQuery(project=address.values("project"), limit=50))
            return _once(Choice(g.code, g.message[:80]) for g in failures.items)
        case "token" if page.may("token:manage"):
            return [Choice(str(t.id), t.name) for t in (await services.tokens.page(caller, None, _MOST)).items]
        case "configuration" if page.project is not None:
            return await _configurations(page, page.project)
        case "subject" | "created_by" | "tag":
            return await _recent(page, f.key)
    return []


async def _kinds(page: PageContext, key: str) -> list[Choice]:
    """The types or categories of the jobs that there are, and of those that can be run."""
    installed = {t.name: t.category for t in page.services.types.runnable(page.caller)}
    there = await page.services.jobs.occurring(page.caller, page.project)
    if key == "category":
        return [Choice(name) for name in sorted({*there.categories, *installed.values()})]
    return [Choice(name, installed.get(name, "")) for name in sorted({*there.types, *installed})]


async def _configurations(page: PageContext, project: str) -> list[Choice]:
    try:
        found = await page.services.configurations.page(page.caller, project, None, _MOST)
    except NotFound:
        return []
    return [Choice(str(c.id), f"{c.name} ({c.type})") for c in found.items]


async def _recent(page: PageContext, name: str) -> list[Choice]:
    """Values that the latest jobs have."""
    field = {"tag": "tags"}.get(name, name)
    query = JobQuery(project=[page.project] if page.project else [], limit=_LOOKED_AT, fields=[field])
    jobs, _ = await page.services.jobs.page(page.caller, query)
    values = [value for job in jobs.items for value in (job.tags if name == "tag" else [getattr(job, field)])]
    return _once(Choice(str(value)) for value in values if value)


def _once(found: Iterable[Choice]) -> list[Choice]:
    return list({choice.value: choice for choice in found}.values())
