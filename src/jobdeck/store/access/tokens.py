"""Access tokens as stored: a public part to look them up by, a hash of the secret, role, project, times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import principals, projects, tokens
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.numbers import wide


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token without its secret; times in µs. `project_id` None: all projects."""

    id: int
    principal_id: int
    principal: str
    name: str
    role: str
    project_id: int | None
    project: str | None
    hash: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    created_by: str | None = None


@dataclass(frozen=True, slots=True)
class TokenValues:
    """A token to be stored."""

    principal_id: int
    name: str
    role: str
    project_id: int | None
    lookup: str
    hash: str
    expires_at: int | None = None
    created_by: int | None = None


_makers = principals.alias("makers")


async def by_lookup(connection: AsyncConnection, lookup: str) -> StoredToken | None:
    """The token with this public part."""
    return _one((await connection.execute(_query().where(tokens.c.lookup == lookup))).mappings().first())


async def by_id(connection: AsyncConnection, id: int) -> StoredToken | None:
    """The token with this id."""
    return _one((await connection.execute(_query().where(tokens.c.id == wide(id)))).mappings().first())


async def page(connection: AsyncConnection, project_id: int | None, after: int, limit: int) -> list[StoredToken]:
    """Tokens with an id above `after`; of one project, or all when `project_id` is None."""
    query = _query().where(tokens.c.id > wide(after)).order_by(tokens.c.id).limit(limit)
    if project_id is not None:
        query = query.where(tokens.c.project_id == project_id)
    return [_token(row) for row in (await connection.execute(query)).mappings()]


async def create(tx: Tx, new: TokenValues) -> int:
    """Store it; its id."""
    values = {name: getattr(new, name) for name in TokenValues.__slots__} | {"created_at": tx.now}
    return int((await tx.connection.execute(insert(tokens).values(values).returning(tokens.c.id))).scalar_one())


async def revoke(tx: Tx, id: int) -> bool:
    """Whether it was good until now."""
    statement = update(tokens).where(tokens.c.id == id, tokens.c.revoked_at.is_(None)).values(revoked_at=tx.now)
    return (await tx.connection.execute(statement)).rowcount > 0


async def revoke_named(tx: Tx, principal_id: int, name: str) -> None:
    """End all tokens of a principal that carry `name`."""
    mine = (tokens.c.principal_id == principal_id, tokens.c.name == name, tokens.c.revoked_at.is_(None))
    await tx.connection.execute(update(tokens).where(*mine).values(revoked_at=tx.now))


async def has_named(connection: AsyncConnection, principal_id: int, name: str) -> bool:
    """Whether a principal has a token that carries `name` and was not revoked."""
    mine = (tokens.c.principal_id == principal_id, tokens.c.name == name, tokens.c.revoked_at.is_(None))
    return (await connection.execute(select(tokens.c.id).where(*mine).limit(1))).first() is not None


async def touch(tx: Tx, id: int) -> None:
    """Note that it is in use."""
    await tx.connection.execute(update(tokens).where(tokens.c.id == wide(id)).values(last_used_at=tx.now))


def _query() -> Select[Any]:
    columns = [c for c in tokens.c if c.name not in ("lookup", "created_by")]
    whose, projects_name = principals.c.name.label("principal"), projects.c.name.label("project")
    return (
        select(*columns, whose, projects_name, _makers.c.name.label("created_by"))
        .join(principals, principals.c.id == tokens.c.principal_id)
        .outerjoin(_makers, _makers.c.id == tokens.c.created_by)
        .outerjoin(projects, projects.c.id == tokens.c.project_id)
    )


def _one(row: RowMapping | None) -> StoredToken | None:
    return _token(row) if row is not None else None


def _token(row: RowMapping) -> StoredToken:
    return StoredToken(**{name: row[name] for name in StoredToken.__slots__})
