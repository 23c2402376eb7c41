"""Who asks: a principal, by way of a token, with a role, in one project or all. What each role includes is a table.

A token's text has a public part to find it by, and a secret of 256 random bits of which only a hash is kept. A fast
hash is right here: nobody can guess 256 bits. Slow hashes are for passwords, which people choose."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from jobdeck.core.errors import Forbidden, NotFound, Unauthenticated
from jobdeck.core.life.operations import Operation
from jobdeck.store import projects
from jobdeck.store.access import tokens
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Database
from jobdeck.store.sql.events import Actor
from jobdeck.store.views import Reader


class Role(StrEnum):
    """What a token may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a use case asks for. The words before the colon are the resource."""

    JOB_READ = "job:read"
    JOB_SUBMIT = "job:submit"
    JOB_OPERATE = "job:operate"
    JOB_DELETE = "job:delete"
    FILE_READ = "file:read"
    FILE_WRITE = "file:write"
    OBJECT_READ = "object:read"
    OBJECT_DROP = "object:drop"
    LIMIT_READ = "limit:read"
    LIMIT_SET = "limit:set"
    CONNECTION_READ = "connection:read"
    CONNECTION_WRITE = "connection:write"
    CONFIGURATION_READ = "configuration:read"
    CONFIGURATION_WRITE = "configuration:write"
    PROJECT_READ = "project:read"
    PROJECT_CREATE = "project:create"
    PROJECT_CHANGE = "project:change"
    PROJECT_PAUSE = "project:pause"
    TOKEN_MANAGE = "token:manage"  # noqa: S105  (a word, not a secret)
    TYPE_READ = "type:read"
    WORKER_READ = "worker:read"
    WORKER_DRAIN = "worker:drain"
    INSTANCE_PAUSE = "instance:pause"
    INSTANCE_LIMIT_READ = "instance-limit:read"
    INSTANCE_LIMIT_SET = "instance-limit:set"
    METRICS_READ = "metrics:read"
    HISTORY_READ = "history:read"


LEAST_ROLE: dict[Permission, Role] = {
    Permission.JOB_READ: Role.VIEWER,
    Permission.JOB_SUBMIT: Role.OPERATOR,
    Permission.JOB_OPERATE: Role.OPERATOR,
    Permission.JOB_DELETE: Role.OPERATOR,
    Permission.FILE_READ: Role.VIEWER,
    Permission.FILE_WRITE: Role.OPERATOR,
    Permission.OBJECT_READ: Role.VIEWER,
    Permission.OBJECT_DROP: Role.OPERATOR,
    Permission.LIMIT_READ: Role.VIEWER,
    Permission.LIMIT_SET: Role.ADMIN,
    Permission.CONNECTION_READ: Role.VIEWER,
    Permission.CONNECTION_WRITE: Role.ADMIN,
    Permission.CONFIGURATION_READ: Role.VIEWER,
    Permission.CONFIGURATION_WRITE: Role.OPERATOR,
    Permission.PROJECT_READ: Role.VIEWER,
    Permission.PROJECT_CREATE: Role.ADMIN,
    Permission.PROJECT_CHANGE: Role.ADMIN,
    Permission.PROJECT_PAUSE: Role.ADMIN,
    Permission.TOKEN_MANAGE: Role.ADMIN,
    Permission.TYPE_READ: Role.VIEWER,
    Permission.WORKER_READ: Role.VIEWER,
    Permission.WORKER_DRAIN: Role.ADMIN,
    Permission.INSTANCE_PAUSE: Role.ADMIN,
    Permission.INSTANCE_LIMIT_READ: Role.VIEWER,
    Permission.INSTANCE_LIMIT_SET: Role.ADMIN,
    Permission.HISTORY_READ: Role.ADMIN,
    Permission.METRICS_READ: Role.VIEWER,
}
"""The least role that includes each permission."""

INSTANCE_WIDE = frozenset(
    {
        Permission.PROJECT_CREATE,
        Permission.PROJECT_CHANGE,
        Permission.WORKER_DRAIN,
        Permission.INSTANCE_PAUSE,
        Permission.INSTANCE_LIMIT_READ,
        Permission.INSTANCE_LIMIT_SET,
        Permission.METRICS_READ,
    }
)
"""Permissions that a token bound to one project never has, whatever its role."""

PERMISSION_OF_OPERATION: dict[Operation, Permission] = {
    Operation.CANCEL: Permission.JOB_OPERATE,
    Operation.PAUSE: Permission.JOB_OPERATE,
    Operation.RESUME: Permission.JOB_OPERATE,
    Operation.RESTART: Permission.JOB_OPERATE,
    Operation.DELETE: Permission.JOB_DELETE,
}

_RANK = {role: rank for rank, role in enumerate(Role)}


def includes(role: Role, permission: Permission) -> bool:
    """Whether `role` includes `permission`."""
    return _RANK[role] >= _RANK[LEAST_ROLE[permission]]


def at_most(role: Role, other: Role) -> bool:
    """Whether `role` allows nothing that `other` does not."""
    return _RANK[role] <= _RANK[other]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what the token allows."""

    name: str
    principal_id: int
    token_id: int
    role: Role
    project_id: int | None = None
    """None: all projects."""
    project: str | None = None
    expires_at: int | None = None
    """Of the token, µs; None: never."""
    session: str | None = None
    """Names a browser's session."""

    def sees(self, project_id: int | None) -> bool:
        """Whether anything of this project (None: of the whole installation) exists for the caller."""
        return self.project_id is None or self.project_id == project_id

    def may(self, permission: Permission) -> bool:
        return self.why_not(permission) is None

    def why_not(self, permission: Permission) -> str | None:
        """The reason, as the end of a sentence, why the caller lacks `permission`; None when it is there."""
        if not includes(self.role, permission):
            return f"the role '{LEAST_ROLE[permission]}' is needed, and this token has '{self.role}'"
        if self.project_id is not None and permission in INSTANCE_WIDE:
            return f"this token is bound to the project '{self.project}'"
        return None

    def require(self, permission: Permission) -> None:
        """Raises Forbidden when the caller lacks `permission`."""
        why = self.why_not(permission)
        if why is not None:
            raise Forbidden(
                f"Not allowed ({permission}): {why}.",
                hint="Ask an administrator for a token that may.",
                permission=str(permission),
            )


PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


async def visible_project(connection: Reader, caller: Caller, name: str, field: str = "project") -> StoredProject:
    """The project called `name`; raises NotFound where there is none or the caller may not see it."""
    found = await projects.by_name(connection, name) if PROJECT_NAME.fullmatch(name) else None
    if found is None or not caller.sees(found.id):
        raise NotFound(f"There is no project '{name[:100]}'.", field=field, hint="GET /api/v1/projects lists them.")
    return found


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
