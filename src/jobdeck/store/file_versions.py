"""Earlier and present contents of project files that were replaced; the content is in the object storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.values import encode
from jobdeck.store.files import LIFETIME, NewFile
from jobdeck.store.schema import file_versions, files, principals
from jobdeck.store.sql.database import Tx

KEPT = 10
"""Versions of a file that are kept: the first, and the last ones."""
_CONTENT = ("name", "size", "sha256", "content_type", "created_by", "created_at")


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One content of a file."""

    file_id: int
    version: int
    """Counts the contents from 1."""
    name: str
    size: int
    sha256: str
    content_type: str | None
    created_by: str | None
    created_at: int


async def reserve(tx: Tx, project_id: int, file_id: int) -> int | None:
    """The number of a version of the file that no other content ever had or will have; None without the file."""
    mine = (files.c.project_id == project_id, files.c.id == file_id)
    change = update(files).where(*mine).values(last_version=files.c.last_version + 1).returning(files.c.last_version)
    reserved = (await tx.connection.execute(change)).scalar_one_or_none()
    return None if reserved is None else int(reserved)


async def add(tx: Tx, new: NewFile, version: int) -> bool:
    """Make it the file's content, unless a later version is already; False without the file."""
    mine = (files.c.project_id == new.project_id, files.c.id == new.id)
    row = (await tx.connection.execute(select(files).where(*mine).with_for_update())).mappings().first()
    if row is None:
        return False
    if row["version"] == 1:
        first = {name: row[name] for name in _CONTENT} | {"file_id": new.id, "version": 1}
        there = select(file_versions.c.version).where(file_versions.c.file_id == new.id, file_versions.c.version == 1)
        if (await tx.connection.execute(there)).first() is None:
            await tx.connection.execute(insert(file_versions).values(first))
    content = {"name": new.name, "size": new.size, "sha256": new.sha256, "content_type": new.content_type}
    about = {"file_id": new.id, "version": version, "created_by": new.created_by, "created_at": tx.now}
    await tx.connection.execute(insert(file_versions).values(content | about))
    if version > row["version"]:
        permanent = new.permanent or row["expires_at"] is None
        kept = {"version": version, "expires_at": None if permanent else tx.now + LIFETIME}
        tags = {"tags": encode(list(new.tags))} if new.tags else {}
        await tx.connection.execute(update(files).where(*mine).values(content | kept | tags))
    return True


async def forget_oldest(tx: Tx, file_id: int) -> list[int]:
    """Versions that are too many, no longer in the list."""
    query = select(file_versions.c.version).where(file_versions.c.file_id == file_id).order_by(file_versions.c.version)
    there = list((await tx.connection.execute(query)).scalars())
    gone = there[1 : 1 + max(0, len(there) - KEPT)]
    mine = file_versions.c.file_id == file_id
    await tx.connection.execute(delete(file_versions).where(mine, file_versions.c.version.in_(gone)))
    return gone


async def of(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, list[StoredVersion]]:
    """The versions of those of the files that were replaced, newest first, by file."""
    columns = [c for c in file_versions.c if c.name != "created_by"]
    query = select(*columns, principals.c.name.label("created_by"))
    query = query.outerjoin(principals, principals.c.id == file_versions.c.created_by)
    query = query.where(file_versions.c.file_id.in_(list(ids))).order_by(file_versions.c.version.desc())
    found: dict[int, list[StoredVersion]] = {}
    for row in (await connection.execute(query)).mappings():
        version = StoredVersion(**{name: row[name] for name in StoredVersion.__slots__})
        found.setdefault(version.file_id, []).append(version)
    return found
