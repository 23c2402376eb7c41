"""The browsers that are logged in as the one who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.access.sessions import ListedSession
from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX, silent
from jobdeck.wire.admin import Session
from jobdeck.wire.base import Page, instant

router = APIRouter(prefix=f"{PREFIX}/me/sessions", tags=["tokens"])


@router.get("", summary="List your sessions")
async def list_sessions(services: ServicesDep, caller: CallerDep) -> Page[Session]:
    """All of the principal's sessions, whichever token they act for; the latest used first."""
    return Page[Session](items=[session_view(listed) for listed in await services.sessions.page(caller)])


@router.delete("", summary="End all your sessions", **silent())
async def end_sessions(services: ServicesDep, caller: CallerDep) -> None:
    """Log out everywhere. Login links that were made in them end, too; tokens stay good."""
    await services.sessions.end_every(caller)


@router.delete("/{id}", summary="End a session", **silent(missing="There is no such session of yours."))
async def end_session(services: ServicesDep, caller: CallerDep, id: Annotated[str, Path(max_length=100)]) -> None:
    """It is logged out at once, with its login links and live streams."""
    await services.sessions.end_one(caller, id)


def session_view(listed: ListedSession) -> Session:
    """A session as its owner sees it."""
    stored = listed.stored
    return Session(
        id=listed.id,
        token=stored.token.name,
        address=stored.address,
        agent=stored.agent,
        created_at=instant(stored.created_at),
        last_seen_at=instant(stored.last_seen_at),
        ends_at=instant(listed.ends_at),
        current=listed.current,
    )
