"""Sessions of browsers, and the links that begin them; of the secret of each only a hash is stored."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.access import tokens
from jobdeck.store.access.tokens import StoredToken
from jobdeck.store.schema import login_links, sessions
from jobdeck.store.sql.database import Tx


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session, and the token that it acts for; times in µs."""

    hash: str
    csrf: str
    last_seen_at: int
    expires_at: int
    token: StoredToken


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A login link, and the token that it stands for; times in µs. `used_at` None: it is still good."""

    hash: str
    expires_at: int
    used_at: int | None
    token: StoredToken


async def create(tx: Tx, hash: str, token_id: int, csrf: str, expires_at: int) -> None:
    """Store a session that begins now."""
    values = {
        "hash": hash, "token_id": token_id, "csrf": csrf, "created_at": tx.now, "last_seen_at": tx.now,
        "expires_at": expires_at,
    }  # fmt: skip
    await tx.connection.execute(insert(sessions).values(values))


async def by_hash(connection: AsyncConnection, hash: str) -> StoredSession | None:
    """The session with this hash."""
    query = select(sessions).where(sessions.c.hash == hash)
    row = (await connection.execute(query)).mappings().first()
    token = await tokens.by_id(connection, row["token_id"]) if row else None
    if row is None or token is None:
        return None
    return StoredSession(row["hash"], row["csrf"], row["last_seen_at"], row["expires_at"], token)


async def touch(tx: Tx, hash: str, expires_at: int) -> None:
    """Note that it is in use, so that it lasts until `expires_at`."""
    values = {"last_seen_at": tx.now, "expires_at": expires_at}
    await tx.connection.execute(update(sessions).where(sessions.c.hash == hash).values(values))


async def remove(tx: Tx, hash: str) -> bool:
    """End a session, and say whether it was there."""
    return (await tx.connection.execute(delete(sessions).where(sessions.c.hash == hash))).rowcount > 0


async def create_link(tx: Tx, hash: str, token_id: int, expires_at: int) -> None:
    """Store a login link."""
    values = {"hash": hash, "token_id": token_id, "created_at": tx.now, "expires_at": expires_at}
    await tx.connection.execute(insert(login_links).values(values))


async def link_by_hash(connection: AsyncConnection, hash: str) -> StoredLink | None:
    """The login link with this hash, used or not."""
    row = (await connection.execute(select(login_links).where(login_links.c.hash == hash))).mappings().first()
    token = await tokens.by_id(connection, row["token_id"]) if row else None
    if row is None or token is None:
        return None
    return StoredLink(row["hash"], row["expires_at"], row["used_at"], token)


async def use_link(tx: Tx, hash: str) -> bool:
    """Whether it was good until now: of two who use it at once, one gets in."""
    unused = (login_links.c.hash == hash, login_links.c.used_at.is_(None), login_links.c.expires_at > tx.now)
    return (await tx.connection.execute(update(login_links).where(*unused).values(used_at=tx.now))).rowcount > 0


async def remove_ended(tx: Tx, now: int, links_before: int) -> None:
    """Delete sessions that expired before `now`, and links that did so before `links_before` (µs)."""
    await tx.connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    await tx.connection.execute(delete(login_links).where(login_links.c.expires_at <= links_before))
