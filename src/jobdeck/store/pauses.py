"""Paused scopes: `instance`, `project:<name>`, `type:<name>`, held back by a person, with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.waiting import ScopePause
from jobdeck.store.schema import paused_scopes
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent


@dataclass(frozen=True, slots=True)
class Pause:
    """A paused scope and since when (µs)."""

    scope: ScopePause
    at: int


async def all_pauses(connection: AsyncConnection) -> dict[str, Pause]:
    """Every paused scope, by scope."""
    query = select(paused_scopes).order_by(paused_scopes.c.scope)
    return {
        row["scope"]: Pause(ScopePause(row["scope"], row["by"], row["reason"]), row["at"])
        for row in (await connection.execute(query)).mappings()
    }


async def put(tx: Tx, scope: str, by: str, reason: str | None, project_id: int | None = None) -> Pause:
    """Pause `scope`, or change the reason of the pause."""
    await tx.put(paused_scopes, {"scope": scope}, {"by": by, "reason": reason, "at": tx.now})
    tx.emit(NewEvent("scope.paused", project_id, None, by, {"scope": scope, "reason": reason}))
    return Pause(ScopePause(scope, by, reason), tx.now)


async def clear(tx: Tx, scope: str, by: str, project_id: int | None = None) -> bool:
    """Let `scope` go on; whether it was paused."""
    gone = (await tx.connection.execute(delete(paused_scopes).where(paused_scopes.c.scope == scope))).rowcount > 0
    if gone:
        tx.emit(NewEvent("scope.resumed", project_id, None, by, {"scope": scope}))
    return gone
