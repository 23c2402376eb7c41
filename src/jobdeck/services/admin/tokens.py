"""Tokens: list, make, end."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from jobdeck.access import tokens as access_tokens
from jobdeck.access.caller import Caller, Permission, Role, at_most, visible_project
from jobdeck.access.tokens import TokenWish
from jobdeck.core.errors import Conflict, Forbidden, NotFound
from jobdeck.core.identity import names
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.store.access import principals, sessions, tokens
from jobdeck.store.access.tokens import StoredToken
from jobdeck.store.jobs import submissions
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Tx
from jobdeck.wire.admin import Me, NewToken, Token, TokenRequest
from jobdeck.wire.base import Page, instant, instant_or_none

DAY = 86_400_000_000


class Tokens(OfCore):
    """The use cases of tokens. An administrator bound to a project manages the tokens of that project only."""

    def me(self, caller: Caller) -> Me:
        """Who the token in use speaks for."""
        return Me(
            name=caller.name,
            id=caller.principal_id,
            token=caller.token_id,
            role=caller.role,
            project=caller.project,
            expires_at=instant_or_none(caller.expires_at),
        )

    async def page(self, caller: Caller, cursor: str | None, limit: int) -> Page[Token]:
        caller.require(Permission.TOKEN_MANAGE)
        after = cursors.number(cursor, "tokens") or 0
        async with self._core.database.read() as connection:
            found = await tokens.page(connection, caller.project_id, after, limit + 1)
            now = await self._core.database.clock.now(connection)
            open_sessions = await sessions.count_by_token(connection, [t.id for t in found], now)
        last = cursors.following("tokens", found, limit, lambda one: one.id)
        items = [Token(**_fields(t), sessions=open_sessions.get(t.id, 0)) for t in found[:limit]]
        return Page[Token](items=items, next=last)

    async def create(self, caller: Caller, asked: TokenRequest, key: str | None = None) -> NewToken:
        """A token; its text is in the answer, now and never again: the same `key` again raises Conflict.

        Raises NameTaken where the name is another principal's, or could be taken for it."""
        caller.require(Permission.TOKEN_MANAGE)
        project = await self._project(caller, asked)
        if not at_most(Role(asked.role), caller.role):
            raise Forbidden("A token cannot allow more than the one that makes it.", field="role")
        label = await asyncio.to_thread(_label, asked)

        made: list[NewToken] = []

        async def work(tx: Tx) -> list[int]:
            if key is not None:
                await _refuse_repeat(tx, caller, key, asked)
            principal_id = await _principal(tx, caller, label, asked.whose, project)
            expires_at = tx.now + asked.expires_in_days * DAY if asked.expires_in_days else None
            bound = (project.id, project.name) if project else (None, None)
            wish = TokenWish(principal_id, label, Role(asked.role), bound[0], bound[1], expires_at)
            token_id, text = await access_tokens.issue(tx, wish, caller.name)
            if key is not None:
                await submissions.remember(tx, caller.principal_id, key, _request_hash(asked), [token_id])
            stored = await tokens.by_id(tx.connection, token_id)
            assert stored is not None
            made[:] = [NewToken(token=str(text), **_fields(stored))]
            return [token_id]

        await submissions.settle_races(self._core.database, work)
        return made[0]

    async def _project(self, caller: Caller, asked: TokenRequest) -> StoredProject | None:
        """The project of the new token; one who is bound to a project can only name that one."""
        if asked.project is None and caller.project_id is not None:
            raise Forbidden(
                f"This token is bound to the project '{caller.project}' and cannot make one for all projects.",
                field="project",
                hint=f"Name the project: `jobdeck tokens create NAME --project {caller.project}`. Tokens of the whole "
                "installation are made by its administrators.",
            )
        if asked.project is None:
            return None
        async with self._core.database.read() as connection:
            return await visible_project(connection, caller, asked.project)

    async def revoke(self, caller: Caller, token_id: int) -> None:
        """End a token at once; again is a no-op. Raises NotFound."""
        caller.require(Permission.TOKEN_MANAGE)

        async def work(tx: Tx) -> None:
            stored = await tokens.by_id(tx.connection, token_id)
            if stored is None or not caller.sees(stored.project_id):
                raise NotFound(f"There is no token {token_id}.", field="id", hint="GET /api/v1/tokens lists them.")
            await access_tokens.revoke(tx, stored, caller.name)

        await self._core.database.transact(work)


def _label(asked: TokenRequest) -> str:
    """Checked off the loop: the table of letters that look alike takes its time to load."""
    label = names.normal(asked.name)
    if asked.whose is None:
        names.refuse_reserved(label)
    return label


async def _principal(tx: Tx, caller: Caller, label: str, whose: str | None, project: StoredProject | None) -> int:
    """The principal of a new token: the one named `whose`, where the caller may speak for it, else a new one.

    Whom one bound to a project makes carries the project's name: two projects never meet over a name, and neither
    learns of the other's. Names that are given for the whole installation are unique in it."""
    if whose is not None:
        found = await principals.by_name(tx.connection, whose)
        own = found is not None and caller.principal_id in (found.id, found.created_by)
        if found is None or not (own or caller.project_id is None):
            raise NotFound(
                f"There is no principal '{whose[:100]}' for whom this token may make another.",
                field="for",
                hint="Leave `for` out to make a principal of its own; its whole name is in `principal` of the answer.",
            )
        return found.id
    name = names.within(caller.project, label)
    project_id = project.id if project else None
    return await principals.create(tx, name, project_id=project_id, created_by=caller.principal_id)


async def _refuse_repeat(tx: Tx, caller: Caller, key: str, asked: TokenRequest) -> None:
    """Nobody has the text of the first request's token but who got its answer; a second token would be one too many."""
    earlier = await submissions.remembered(tx, caller.principal_id, key, _request_hash(asked))
    if earlier is not None:
        raise Conflict(
            f"This request made token {earlier[0]} already, and its text is not shown again.",
            field="Idempotency-Key",
            hint=f"If the first answer was lost, revoke token {earlier[0]} and ask again with a new key.",
            token=earlier[0],
        )


def _request_hash(asked: TokenRequest) -> str:
    return hashlib.sha256(json.dumps(["token", asked.model_dump(mode="json")]).encode()).hexdigest()


def _fields(stored: StoredToken) -> dict[str, Any]:
    return {
        "id": stored.id,
        "name": stored.name,
        "principal": stored.principal,
        "created_by": stored.created_by,
        "role": stored.role,
        "project": stored.project,
        "created_at": instant(stored.created_at),
        "expires_at": instant_or_none(stored.expires_at),
        "last_used_at": instant_or_none(stored.last_used_at),
        "revoked_at": instant_or_none(stored.revoked_at),
    }
