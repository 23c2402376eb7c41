"""Make tokens, end them, and tell from one who asks.

A token's text has a public part to find it by, and a secret of 256 random bits of which only a hash is kept. A fast
hash is right here: nobody can guess 256 bits. Slow hashes are for passwords, which people choose."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from jobdeck.access.caller import Caller, Role
from jobdeck.core.errors import Unauthenticated
from jobdeck.core.identity.actor import Actor, ids_of
from jobdeck.store.access import tokens
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent

PREFIX = "jd"
_SHAPE = re.compile(r"jd_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
TOUCH_EVERY = 60_000_000
"""µs between two notes of a token's use, at least."""


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as its owner holds it."""

    lookup: str
    secret: str

    @classmethod
    def new(cls) -> TokenText:
        return cls(secrets.token_hex(8), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> TokenText | None:
        """The parts of a token's text, None when it is not one."""
        shape = _SHAPE.fullmatch(text)
        return cls(shape[1], shape[2]) if shape else None

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, stored_hash: str) -> bool:
        """Whether this is the token that was stored; takes the same time whatever the answer."""
        return hmac.compare_digest(self.hash, stored_hash)

    def __str__(self) -> str:
        return f"{PREFIX}_{self.lookup}_{self.secret}"

    def __repr__(self) -> str:
        return f"TokenText({self.lookup!r}, …)"


_NOBODY = TokenText("0" * 16, "0" * 43).hash


@dataclass(frozen=True, slots=True)
class TokenWish:
    """A token to make for a principal."""

    principal_id: int
    name: str
    """A label."""
    role: Role
    project_id: int | None = None
    """None: for all projects."""
    project: str | None = None
    expires_at: int | None = None
    """µs; None: never."""


async def issue(tx: Tx, wish: TokenWish, actor: str) -> tuple[int, TokenText]:
    """Make a token; its id and its only copy."""
    text = TokenText.new()
    new = tokens.TokenValues(
        wish.principal_id, wish.name, wish.role, wish.project_id, text.lookup, text.hash, wish.expires_at,
        ids_of(actor)[0],
    )  # fmt: skip
    token_id = await tokens.create(tx, new)
    data = {
        "token": token_id, "name": wish.name, "principal": wish.principal_id, "role": str(wish.role),
        "project": wish.project,
    }  # fmt: skip
    tx.emit(NewEvent("token.created", wish.project_id, None, actor, data))
    return token_id, text


async def revoke(tx: Tx, stored: tokens.StoredToken, actor: str) -> None:
    """End a token; again is a no-op."""
    if await tokens.revoke(tx, stored.id):
        data = {"token": stored.id, "name": stored.name}
        tx.emit(NewEvent("token.revoked", stored.project_id, None, actor, data))


class Authenticator:
    """Tells from a token's text who asks. Looks at the database each time, so a revoked token is refused at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def caller(self, text: str | None) -> Caller:
        """Who holds the token `text`; raises Unauthenticated."""
        if not text:
            raise Unauthenticated("A token is needed.", hint="Send `Authorization: Bearer <token>`.")
        async with self._database.read() as connection:
            given = TokenText.parse(text.strip())
            stored = await tokens.by_lookup(connection, given.lookup) if given else None
            now = await self._database.clock.now(connection)
        good = (given or TokenText.new()).matches(stored.hash if stored else _NOBODY)
        if stored is None or not good:
            raise Unauthenticated("This token is not known.", hint="Check that it was copied whole.")
        refuse_ended(stored, now)
        await self._touch(stored, now)
        return caller_of(stored)

    async def _touch(self, stored: tokens.StoredToken, now: int) -> None:
        if stored.last_used_at is None or now - stored.last_used_at >= TOUCH_EVERY:
            await self._database.transact(lambda tx: tokens.touch(tx, stored.id))


def caller_of(stored: tokens.StoredToken, *, session: str | None = None) -> Caller:
    """The one whom a token speaks for; `session`: the hash of the session by which it is used."""
    return Caller(
        Actor(stored.principal, stored.principal_id, stored.id),
        stored.principal_id,
        stored.id,
        Role(stored.role),
        stored.project_id,
        stored.project,
        stored.expires_at,
        session,
    )


def refuse_ended(stored: tokens.StoredToken, now: int) -> None:
    """Raises Unauthenticated when the token was revoked or has expired at `now` (µs)."""
    if stored.revoked_at is not None:
        raise Unauthenticated("This token was revoked.", hint="Ask an administrator for a new one.")
    if stored.expires_at is not None and stored.expires_at <= now:
        raise Unauthenticated("This token has expired.", hint="Ask an administrator for a new one.")
