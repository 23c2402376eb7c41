"""Projects: rooms of their own for jobs, objects, files, connections and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.environment import DEFAULT_PROJECT
from jobdeck.core.errors import Conflict
from jobdeck.store.schema import projects
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent


@dataclass(frozen=True, slots=True)
class StoredProject:
    """A project as stored."""

    id: int
    name: str
    title: str
    weight: float
    """Its part of the workers, relative to the other projects'."""
    created_at: int
    """µs."""


async def all_projects(connection: AsyncConnection) -> list[StoredProject]:
    """Every project, by name."""
    rows = (await connection.execute(select(projects).order_by(projects.c.name))).mappings()
    return [_project(row) for row in rows]


async def names_by_id(connection: AsyncConnection) -> dict[int, str]:
    """The names of all projects."""
    return {project.id: project.name for project in await all_projects(connection)}


async def by_name(connection: AsyncConnection, name: str) -> StoredProject | None:
    """The project called `name`."""
    return _one((await connection.execute(select(projects).where(projects.c.name == name))).mappings().first())


async def by_id(connection: AsyncConnection, id: int) -> StoredProject | None:
    """The project with this id."""
    return _one((await connection.execute(select(projects).where(projects.c.id == id))).mappings().first())


async def create(tx: Tx, name: str, title: str, weight: float, actor: str | None) -> StoredProject:
    """A new project; raises Conflict when the name is taken."""
    values = {"name": name, "title": title, "weight": weight, "created_at": tx.now}
    try:
        made = await tx.connection.execute(insert(projects).values(values).returning(projects.c.id))
    except IntegrityError as error:
        raise Conflict(f"There is a project '{name}' already.", field="name", hint="Choose another name.") from error
    project = StoredProject(made.scalar_one(), name, title, weight, tx.now)
    tx.emit(NewEvent("project.created", project.id, None, actor, {"name": name}))
    return project


async def change(tx: Tx, project: StoredProject, title: str, weight: float, actor: str) -> StoredProject:
    """The project with this title and weight. An event without a job: the scheduler looks at its projects anew."""
    values = {"title": title, "weight": weight}
    await tx.connection.execute(update(projects).where(projects.c.id == project.id).values(values))
    tx.emit(NewEvent("project.changed", project.id, None, actor, {"name": project.name, **values}))
    return replace(project, title=title, weight=weight)


async def ensure_default(tx: Tx) -> StoredProject:
    """The project `default`, made when it is not there."""
    found = await by_name(tx.connection, DEFAULT_PROJECT)
    return found or await create(tx, DEFAULT_PROJECT, "Default", 1.0, None)


def _one(row: RowMapping | None) -> StoredProject | None:
    return _project(row) if row is not None else None


def _project(row: RowMapping) -> StoredProject:
    return StoredProject(row["id"], row["name"], row["title"], row["weight"], row["created_at"])
