"""Project files as rows; their content is in the object storage (blobs.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.values import encode
from jobdeck.store.schema import file_versions, files, lineage, principals
from jobdeck.store.sql.database import Tx

LIFETIME = 15 * 24 * 3600 * 1_000_000
"""µs that a file is kept unless it is permanent."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of a file when its content is stored."""

    id: int
    project_id: int
    name: str
    size: int
    """Bytes."""
    sha256: str
    content_type: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredFile(FileRecord):
    """A file as recorded; times in µs. `expires_at` None: permanent."""

    created_by: str | None
    created_at: int
    expires_at: int | None
    version: int = 1
    """More than 1 where its content was replaced."""


@dataclass(frozen=True, slots=True)
class NewFile(FileRecord):
    """A file whose content is stored, and whose row is to be written under the id reserved for it."""

    created_by: int
    permanent: bool = False


_STORED, _NEW = (tuple(field.name for field in fields(kind)) for kind in (StoredFile, NewFile))


async def reserve_id(tx: Tx, project_id: int, created_by: int) -> int:
    """An id that no other file ever had or will have; needed before the content can be stored under it.

    Made by writing and deleting a row: both databases then never give the id again."""
    values = {
        "project_id": project_id, "name": "", "size": 0, "sha256": "", "tags": "[]", "created_by": created_by,
        "created_at": tx.now,
    }  # fmt: skip
    reserved = int((await tx.connection.execute(insert(files).values(values).returning(files.c.id))).scalar_one())
    await tx.connection.execute(delete(files).where(files.c.id == reserved))
    return reserved


async def create(tx: Tx, new: NewFile) -> int | None:
    """Write the row; when the file expires (µs)."""
    expires_at = None if new.permanent else tx.now + LIFETIME
    values = {name: getattr(new, name) for name in _NEW if name not in ("tags", "permanent")}
    values |= {"tags": encode(list(new.tags)), "created_at": tx.now, "expires_at": expires_at}
    await tx.connection.execute(insert(files).values(values))
    return expires_at


async def get(connection: AsyncConnection, project_id: int, id: int) -> StoredFile | None:
    """The file, when it is one of the project's."""
    query = _QUERY.where(files.c.project_id == project_id, files.c.id == id)
    row = (await connection.execute(query)).mappings().first()
    return _file(row) if row is not None else None


async def names(connection: AsyncConnection, project_id: int, ids: Sequence[int]) -> dict[int, str]:
    """The names of those of the files that are the project's, by id."""
    found: dict[int, str] = {}
    for start in range(0, len(ids), 1000):
        some = files.c.id.in_(ids[start : start + 1000])
        query = select(files.c.id, files.c.name).where(files.c.project_id == project_id, some)
        found |= {row.id: row.name for row in await connection.execute(query)}
    return found


async def page(
    connection: AsyncConnection, project_id: int, before: int | None, limit: int, sha256: str | None = None
) -> list[StoredFile]:
    """Files of a project, newest first, with ids below `before`; with `sha256` those whose content has it."""
    query = _QUERY.where(files.c.project_id == project_id).order_by(files.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(files.c.id < before)
    if sha256 is not None:
        query = query.where(files.c.sha256 == sha256)
    return [_file(row) for row in (await connection.execute(query)).mappings()]


async def remove(tx: Tx, project_id: int, id: int) -> bool:
    """Whether it was there; its versions go with it."""
    mine = (files.c.project_id == project_id, files.c.id == id)
    there = select(files.c.id).where(*mine)
    await tx.connection.execute(delete(file_versions).where(file_versions.c.file_id.in_(there)))
    return (await tx.connection.execute(delete(files).where(*mine))).rowcount > 0


async def jobs_of(connection: AsyncConnection, ids: Sequence[int], most: int = 1000) -> dict[int, list[int]]:
    """The jobs that read or made each of the files, by file."""
    names = {f"file:{i}": i for i in ids}
    query = select(lineage.c.object, lineage.c.job_id).where(lineage.c.object.in_(names)).distinct()
    found: dict[int, list[int]] = {}
    for name, job in await connection.execute(query.order_by(lineage.c.job_id).limit(most)):
        found.setdefault(names[name], []).append(job)
    return found


_QUERY = select(*(c for c in files.c if c.name != "created_by"), principals.c.name.label("created_by")).outerjoin(
    principals, principals.c.id == files.c.created_by
)


def _file(row: RowMapping) -> StoredFile:
    values = {name: row[name] for name in _STORED} | {"tags": tuple(json.loads(row["tags"]))}
    return StoredFile(**values)
