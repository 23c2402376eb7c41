"""Sessions of browsers: begun by a token or a one-time link, and over when they, or their token, have ended.

A session acts as its token: the same role, the same project. Its secret is 256 random bits, so a fast hash does.
Who logs in and out is told as events, with the session's public id and never with what opens it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from jobdeck.access.caller import TOUCH_EVERY, Authenticator, Caller, caller_of, refuse_ended
from jobdeck.core.errors import NotFound, Unauthenticated
from jobdeck.store.access import sessions, tokens
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent

DAY = 86_400_000_000
LINK_LIFE = 3_600_000_000
"""µs that a login link is good."""
MOST_SESSIONS = 100
"""Sessions of one principal; one more ends the one that was used least lately."""
MOST_LINKS = 20
"""Login links of one principal that are still good; one more ends the oldest."""
_SECRET_LENGTH = 43


class LoginLinkUsed(Unauthenticated, code="login_link_used"):
    """The login link was used before; each is good once."""


class LoginLinkEnded(Unauthenticated, code="login_link_ended"):
    """The login link is not known, older than an hour, or made in a session that has ended."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session is used, as far as the browser and its connection say."""

    address: str | None = None
    """As text, without the port."""
    agent: str | None = None
    """The browser's own words about itself (`User-Agent`)."""


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A browser that is logged in."""

    hash: str
    """Of the secret in its cookie, as it is stored."""
    csrf: str
    """Must come, masked, with every request of it that changes something."""
    caller: Caller

    def csrf_token(self) -> str:
        """The secret as pages carry it: masked anew each time, so that the size of compressed pages tells nothing."""
        mask = secrets.token_bytes(len(self.csrf))
        return (mask + _xor(mask, self.csrf.encode())).hex()

    def proves(self, token: str | None) -> bool:
        """Whether `token` is the secret of this session, masked; takes the same time whatever the answer."""
        try:
            given = bytes.fromhex(token or "")
        except ValueError:
            given = b""
        length = len(self.csrf)
        return hmac.compare_digest(_xor(given[:length], given[length:]), self.csrf.encode())

    @property
    def public_id(self) -> str:
        """Tells sessions apart and opens nothing."""
        return _public_id(self.hash)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun."""

    cookie: str
    """The only copy of its secret."""
    caller: Caller


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as its owner sees it; `id` opens nothing. `ends_at` µs. `current`: it is the one that asks."""

    id: str
    stored: sessions.StoredSession
    ends_at: int
    current: bool


@dataclass(frozen=True, slots=True)
class NewLink:
    """A login link; `code` is the only copy of its secret. `expires_at` µs."""

    code: str
    expires_at: int


class BrowserSessions:
    """Begins sessions, tells who holds one, and ends them. Looks at the database each time, as `Authenticator` does."""

    def __init__(self, database: Database, authenticator: Authenticator, days: float, max_days: float = 90.0) -> None:
        """`days` without any use end a session, and `max_days` after its begin it ends in any case."""
        self._database = database
        self._authenticator = authenticator
        self._life = int(days * DAY)
        self._whole_life = int(max_days * DAY)

    @property
    def seconds(self) -> int:
        """How long a session lasts without any use."""
        return self._life // 1_000_000

    async def begin(self, token: str, device: Device = Device()) -> NewSession:
        """A session for the holder of `token`; raises Unauthenticated."""
        caller = await self._authenticator.caller(token)
        return await self._database.transact(lambda tx: self._create(tx, caller, "token", device))

    async def begin_by_link(self, code: str, device: Device = Device()) -> NewSession:
        """A session for the holder of a login link, which is used up by it.

        Raises LoginLinkUsed, LoginLinkEnded, or Unauthenticated when its token has ended."""
        caller = await self.peek(code)

        async def work(tx: Tx) -> NewSession:
            if not await sessions.use_link(tx, _hash(code)):
                raise _used()
            return await self._create(tx, caller, "link", device)

        return await self._database.transact(work)

    async def peek(self, code: str) -> Caller:
        """Whom a login link stands for, without using it; raises as `begin_by_link`."""
        async with self._database.read() as connection:
            link = await sessions.link_by_hash(connection, _hash(code))
            maker = await sessions.by_hash(connection, link.session) if link and link.session else None
            now = await self._database.clock.now(connection)
        if link is not None and link.used_at is not None:
            raise _used()
        if link is None or link.expires_at <= now:
            raise LoginLinkEnded("This login link is not good, or older than an hour.", hint=_NEW_LINK)
        if link.session is not None and (maker is None or self._has_ended(maker, now)):
            raise LoginLinkEnded("The session in which this login link was made has ended.", hint=_NEW_LINK)
        refuse_ended(link.token, now)
        return caller_of(link.token)

    async def make_link(self, caller: Caller) -> NewLink:
        """A login link for the caller's own token; one made in a session ends with it."""
        code = secrets.token_urlsafe(32)

        async def work(tx: Tx) -> int:
            expires_at = min(tx.now + LINK_LIFE, caller.expires_at or tx.now + LINK_LIFE)
            await sessions.keep_links(tx, caller.principal_id, MOST_LINKS - 1)
            await sessions.create_link(tx, _hash(code), caller.token_id, expires_at, caller.session)
            return expires_at

        return NewLink(code, await self._database.transact(work))

    async def find(self, cookie: str) -> BrowserSession:
        """The session of a browser's cookie; raises Unauthenticated."""
        if len(cookie) != _SECRET_LENGTH:
            raise _ended()
        async with self._database.read() as connection:
            stored = await sessions.by_hash(connection, _hash(cookie))
            now = await self._database.clock.now(connection)
        if stored is None or self._has_ended(stored, now):
            raise _ended()
        refuse_ended(stored.token, now)
        await self._touch(stored, now)
        return BrowserSession(stored.hash, stored.csrf, caller_of(stored.token, session=stored.hash))

    async def end(self, session: BrowserSession) -> None:
        """Log out; again is a no-op."""

        async def work(tx: Tx) -> None:
            if await sessions.remove(tx, session.hash):
                tx.emit(_event("session.ended", session.caller, session.hash))

        await self._database.transact(work)

    async def page(self, caller: Caller) -> list[ListedSession]:
        """The caller's sessions that have not ended, of all its tokens, the latest used first."""
        async with self._database.read() as connection:
            found = await sessions.of_principal(connection, caller.principal_id)
            now = await self._database.clock.now(connection)
        return [
            ListedSession(
                _public_id(s.hash), s, min(s.expires_at, s.created_at + self._whole_life), s.hash == caller.session
            )
            for s in found
            if not self._has_ended(s, now) and s.token.revoked_at is None
        ]

    async def end_one(self, caller: Caller, public_id: str) -> None:
        """End one of the caller's sessions, and the links that were made in it; raises NotFound."""
        ids = {listed.id: listed.stored for listed in await self.page(caller)}
        if public_id not in ids:
            hint = "GET /api/v1/me/sessions lists them."
            raise NotFound(f"There is no session '{public_id[:100]}' of yours.", field="id", hint=hint)
        await self._end_all(caller, [ids[public_id]])

    async def end_every(self, caller: Caller) -> int:
        """End all of the caller's sessions, the one in use included; how many there were."""
        found = [listed.stored for listed in await self.page(caller)]
        await self._end_all(caller, found)
        return len(found)

    async def _end_all(self, caller: Caller, found: list[sessions.StoredSession]) -> None:
        async def work(tx: Tx) -> None:
            for stored in found:
                if await sessions.remove(tx, stored.hash):
                    tx.emit(_event("session.ended", caller, stored.hash))

        await self._database.transact(work)

    def _has_ended(self, stored: sessions.StoredSession, now: int) -> bool:
        return stored.expires_at <= now or stored.created_at + self._whole_life <= now

    async def _create(self, tx: Tx, caller: Caller, by: str, device: Device) -> NewSession:
        """`by` what it was proved who it is: token or link."""
        cookie = secrets.token_urlsafe(32)
        await sessions.keep_sessions(tx, caller.principal_id, MOST_SESSIONS - 1)
        new = sessions.SessionValues(
            _hash(cookie), caller.token_id, secrets.token_urlsafe(32), tx.now + self._life,
            _shown(device.address, 100), _shown(device.agent, 300),
        )  # fmt: skip
        await sessions.create(tx, new)
        tx.emit(_event("session.begun", caller, _hash(cookie), by=by))
        return NewSession(cookie, caller)

    async def _touch(self, stored: sessions.StoredSession, now: int) -> None:
        if now - stored.last_seen_at < TOUCH_EVERY:
            return

        async def work(tx: Tx) -> None:
            await sessions.touch(tx, stored.hash, tx.now + self._life)
            await tokens.touch(tx, stored.token.id)

        await self._database.transact(work)


_NEW_LINK = "Make a new one with `jobdeck login`."


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _public_id(hash: str) -> str:
    return hashlib.sha256(f"public {hash}".encode()).hexdigest()[:12]


def _event(kind: str, caller: Caller, hash: str, **more: str) -> NewEvent:
    data = {"session": _public_id(hash), "token": caller.token_id, **more}
    return NewEvent(kind, caller.project_id, None, caller.name, data)


def _shown(text: str | None, most: int) -> str | None:
    """What a stranger sent, fit to be shown and stored."""
    return "".join(c for c in text[:most] if c.isprintable()) if text else None


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def _used() -> LoginLinkUsed:
    return LoginLinkUsed("This login link was used already; each works once.", hint=_NEW_LINK)


def _ended() -> Unauthenticated:
    return Unauthenticated("This session has ended.", hint="Log in again.")
