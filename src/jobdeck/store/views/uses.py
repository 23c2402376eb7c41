"""Who still needs what is to be deleted: open jobs, and configurations, by what their parameters name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import OPEN_JOBS, configurations, jobs

LOOKED_AT = 1000
"""Jobs, and configurations, that are looked at."""
Names = Callable[[str], bool]
"""Whether a text among the parameters names the thing."""


@dataclass(frozen=True, slots=True)
class Uses:
    """Jobs that have not ended, and configurations by id and name; `more`: there may be others."""

    jobs: tuple[int, ...]
    configurations: tuple[tuple[int, str], ...]
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.jobs or self.configurations)


async def of_file(connection: AsyncConnection, project_id: int, file_id: int) -> Uses:
    """Who names the project file `file:<id>`."""
    ref = f"file:{file_id}"
    return await _uses(connection, project_id, [ref], lambda value: value == ref)


async def of_connection(connection: AsyncConnection, project_id: int, name: str, url: str | None) -> Uses:
    """Who names the connection, an object of it, or an address below its `url`."""
    address = url.rstrip("/") if url else None

    def names(value: str) -> bool:
        below = address is not None and (value == address or value.startswith(f"{address}/"))
        return value == name or value.startswith(f"{name}/") or below

    return await _uses(connection, project_id, [name, *([address] if address else [])], names, f"/object:{name}/")


async def _uses(
    connection: AsyncConnection, project_id: int, words: list[str], names: Names, claim: str | None = None
) -> Uses:
    """`words`: one of these stands in the parameters of all who name it; `claim` in the claims of who holds it."""
    said = [_says(jobs.c.params, words), *([jobs.c.claims.contains(claim, autoescape=True)] if claim else [])]
    of_jobs = select(jobs.c.id, jobs.c.params, jobs.c.claims).where(
        text(OPEN_JOBS), jobs.c.project_id == project_id, or_(*said)
    )
    of_saved = select(configurations.c.id, configurations.c.name, configurations.c.params).where(
        configurations.c.project_id == project_id, _says(configurations.c.params, words)
    )
    open_jobs = (await connection.execute(_first(of_jobs, jobs.c.id))).all()
    saved = (await connection.execute(_first(of_saved, configurations.c.id))).all()
    used = [row.id for row in open_jobs if (claim and claim in row.claims) or _named(row.params, names)]
    kept = [(row.id, row.name) for row in saved if _named(row.params, names)]
    return Uses(tuple(used), tuple(kept), more=LOOKED_AT in (len(open_jobs), len(saved)))


def _says(column: ColumnElement[str], words: list[str]) -> ColumnElement[bool]:
    """Whether one of the words, as JSON writes it, stands in the column."""
    return or_(*(column.contains(json.dumps(word)[1:-1], autoescape=True) for word in words))


def _first(query: Select[Any], by: ColumnElement[Any]) -> Select[Any]:
    return query.order_by(by).limit(LOOKED_AT)


def _named(params: str, names: Names) -> bool:
    try:
        return any(names(value) for value in _texts(json.loads(params)))
    except (ValueError, RecursionError):  # what cannot be read may name it
        return True


def _texts(value: Any) -> Iterator[str]:
    """All texts among the values, at any depth."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list):
            todo += one
