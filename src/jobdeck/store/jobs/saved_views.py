"""Saved views of the page of jobs: one's own, and those shared in a project."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import Conflict
from jobdeck.core.values import encode
from jobdeck.store.schema import principals, projects, saved_views
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.numbers import wide

MOST = 500
"""Views of one person, or shared in one project, at most."""


@dataclass(frozen=True, slots=True)
class ViewContent:
    """What is saved. `project_id` None: the view is its owner's alone."""

    name: str
    query: str
    columns: tuple[str, ...] | None
    density: str | None
    project_id: int | None


@dataclass(frozen=True, slots=True)
class StoredView:
    """A saved view. Times in µs."""

    id: int
    content: ViewContent
    principal_id: int
    created_by: str | None
    project: str | None
    created_at: int
    updated_at: int


async def page(
    connection: AsyncConnection, principal_id: int, project_ids: tuple[int, ...] | None, after: int, limit: int
) -> list[StoredView]:
    """Views with an id above `after`: the person's own, and those shared in the projects (None: in any)."""
    shared = saved_views.c.project_id.is_not(None)
    if project_ids is not None:
        shared = saved_views.c.project_id.in_(project_ids)
    query = _QUERY.where(or_(_own(principal_id), shared), saved_views.c.id > wide(after))
    rows = (await connection.execute(query.order_by(saved_views.c.id).limit(limit))).mappings()
    return [_stored(row) for row in rows]


async def get(connection: AsyncConnection, id: int) -> StoredView | None:
    """The view, whosever it is."""
    row = (await connection.execute(_QUERY.where(saved_views.c.id == wide(id)))).mappings().first()
    return _stored(row) if row is not None else None


async def create(tx: Tx, content: ViewContent, principal_id: int) -> int:
    """Save a view; its id. Raises Conflict when the name is taken, or there are too many."""
    mine = _own(principal_id) if content.project_id is None else saved_views.c.project_id == content.project_id
    count = (await tx.connection.execute(select(func.count()).select_from(saved_views).where(mine))).scalar_one()
    if count >= MOST:
        raise Conflict(f"There are {count} views already; {MOST} are allowed.", hint="Delete some that nobody uses.")
    values = {**_values(content), "principal_id": principal_id, "created_at": tx.now, "updated_at": tx.now}
    statement = insert(saved_views).values(values).returning(saved_views.c.id)
    try:
        return int((await tx.connection.execute(statement)).scalar_one())
    except IntegrityError as error:
        raise _taken(content) from error


async def save(tx: Tx, id: int, content: ViewContent) -> bool:
    """Exchange what is saved; whether the view is there. Raises Conflict when the name is taken."""
    values = {**_values(content), "updated_at": tx.now}
    try:
        changed = await tx.connection.execute(update(saved_views).where(saved_views.c.id == wide(id)).values(values))
    except IntegrityError as error:
        raise _taken(content) from error
    return changed.rowcount > 0


async def remove(tx: Tx, id: int) -> bool:
    """Whether it was there."""
    return (await tx.connection.execute(delete(saved_views).where(saved_views.c.id == wide(id)))).rowcount > 0


def _own(principal_id: int) -> ColumnElement[bool]:
    return (saved_views.c.principal_id == principal_id) & saved_views.c.project_id.is_(None)


def _values(content: ViewContent) -> dict[str, object]:
    return {
        "name": content.name,
        "query": content.query,
        "columns": None if content.columns is None else encode(list(content.columns)),
        "density": content.density,
        "project_id": content.project_id,
    }


def _taken(content: ViewContent) -> Conflict:
    return Conflict(f"There is a view '{content.name}' already.", field="name", hint="Choose another name.")


_QUERY = (
    select(*saved_views.c, principals.c.name.label("created_by"), projects.c.name.label("project"))
    .outerjoin(principals, principals.c.id == saved_views.c.principal_id)
    .outerjoin(projects, projects.c.id == saved_views.c.project_id)
)


def _stored(row: RowMapping) -> StoredView:
    columns = None if row["columns"] is None else tuple(json.loads(row["columns"]))
    content = ViewContent(row["name"], row["query"], columns, row["density"], row["project_id"])
    return StoredView(
        row["id"], content, row["principal_id"], row["created_by"], row["project"], row["created_at"], row["updated_at"]
    )
