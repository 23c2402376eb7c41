"""Sessions of browsers, and the links that begin them; of the secret of each only a hash is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store import schema
from jobdeck.store.access import tokens
from jobdeck.store.access.tokens import StoredToken
from jobdeck.store.schema import login_links, sessions
from jobdeck.store.sql.database import Tx


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session, and the token that it acts for; times in µs."""

    hash: str
    csrf: str
    created_at: int
    last_seen_at: int
    expires_at: int
    address: str | None
    agent: str | None
    token: StoredToken


@dataclass(frozen=True, slots=True)
class SessionValues:
    """A session to be stored. `expires_at` µs."""

    hash: str
    token_id: int
    csrf: str
    expires_at: int
    address: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A login link, and the token that it stands for; times in µs. `used_at` None: it is still good."""

    hash: str
    expires_at: int
    used_at: int | None
    session: str | None
    """The hash of the session that made it."""
    token: StoredToken


async def create(tx: Tx, new: SessionValues) -> None:
    """Store a session that begins now."""
    values = {name: getattr(new, name) for name in SessionValues.__slots__}
    await tx.connection.execute(insert(sessions).values(values | {"created_at": tx.now, "last_seen_at": tx.now}))


async def by_hash(connection: AsyncConnection, hash: str) -> StoredSession | None:
    """The session with this hash."""
    query = select(sessions).where(sessions.c.hash == hash)
    row = (await connection.execute(query)).mappings().first()
    token = await tokens.by_id(connection, row["token_id"]) if row else None
    if row is None or token is None:
        return None
    return _stored(row, token)


async def of_principal(connection: AsyncConnection, principal_id: int) -> list[StoredSession]:
    """The sessions of all tokens of a principal, the latest used first."""
    query = select(sessions).where(sessions.c.token_id.in_(_tokens_of(principal_id)))
    rows = (await connection.execute(query.order_by(sessions.c.last_seen_at.desc(), sessions.c.hash))).mappings().all()
    known = {id_: await tokens.by_id(connection, id_) for id_ in {row["token_id"] for row in rows}}
    return [_stored(row, token) for row in rows if (token := known[row["token_id"]]) is not None]


async def keep_sessions(tx: Tx, principal_id: int, most: int) -> None:
    """End those sessions of a principal that were used least lately, until `most` are left."""
    mine = select(sessions.c.hash).where(sessions.c.token_id.in_(_tokens_of(principal_id)))
    surplus = mine.order_by(sessions.c.last_seen_at.desc(), sessions.c.created_at.desc()).offset(most)
    for ended in (await tx.connection.execute(surplus.limit(100))).scalars().all():
        await remove(tx, ended)


async def keep_links(tx: Tx, principal_id: int, most: int) -> None:
    """Remove the oldest links of a principal, used or not, until `most` are left."""
    mine = select(login_links.c.hash).where(login_links.c.token_id.in_(_tokens_of(principal_id)))
    surplus = mine.order_by(login_links.c.created_at.desc()).offset(most).limit(1000)
    found = (await tx.connection.execute(surplus)).scalars().all()
    if found:
        await tx.connection.execute(delete(login_links).where(login_links.c.hash.in_(found)))


def _tokens_of(principal_id: int) -> Select[tuple[int]]:
    return select(schema.tokens.c.id).where(schema.tokens.c.principal_id == principal_id)


def _stored(row: RowMapping, token: StoredToken) -> StoredSession:
    values = {name: row[name] for name in StoredSession.__slots__ if name != "token"}
    return StoredSession(**values, token=token)


async def touch(tx: Tx, hash: str, expires_at: int) -> None:
    """Note that it is in use, so that it lasts until `expires_at`."""
    values = {"last_seen_at": tx.now, "expires_at": expires_at}
    await tx.connection.execute(update(sessions).where(sessions.c.hash == hash).values(values))


async def remove(tx: Tx, hash: str) -> bool:
    """End a session and the links that were made in it, and say whether it was there."""
    await tx.connection.execute(delete(login_links).where(login_links.c.session_hash == hash))
    return (await tx.connection.execute(delete(sessions).where(sessions.c.hash == hash))).rowcount > 0


async def create_link(tx: Tx, hash: str, token_id: int, expires_at: int, session: str | None) -> None:
    """Store a login link, made in a session or (None) by a token itself."""
    values = {
        "hash": hash, "token_id": token_id, "created_at": tx.now, "expires_at": expires_at, "session_hash": session,
    }  # fmt: skip
    await tx.connection.execute(insert(login_links).values(values))


async def link_by_hash(connection: AsyncConnection, hash: str) -> StoredLink | None:
    """The login link with this hash, used or not."""
    row = (await connection.execute(select(login_links).where(login_links.c.hash == hash))).mappings().first()
    token = await tokens.by_id(connection, row["token_id"]) if row else None
    if row is None or token is None:
        return None
    return StoredLink(row["hash"], row["expires_at"], row["used_at"], row["session_hash"], token)


async def use_link(tx: Tx, hash: str) -> bool:
    """Whether it was good until now: of two who use it at once, one gets in."""
    unused = (login_links.c.hash == hash, login_links.c.used_at.is_(None), login_links.c.expires_at > tx.now)
    return (await tx.connection.execute(update(login_links).where(*unused).values(used_at=tx.now))).rowcount > 0


async def remove_ended(tx: Tx, now: int, links_before: int) -> None:
    """Delete sessions that expired before `now`, and links that did so before `links_before` (µs)."""
    await tx.connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    await tx.connection.execute(delete(login_links).where(login_links.c.expires_at <= links_before))


async def count_by_token(connection: AsyncConnection, token_ids: Sequence[int], now: int) -> dict[int, int]:
    """How many sessions that have not ended each of the tokens has; those with none are left out."""
    query = select(sessions.c.token_id, func.count().label("there")).where(
        sessions.c.token_id.in_(list(token_ids)), sessions.c.expires_at > now
    )
    return {row.token_id: row.there for row in await connection.execute(query.group_by(sessions.c.token_id))}
