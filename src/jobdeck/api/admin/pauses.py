"""Paused scopes: hold back the whole installation, a project or a job type."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX, silent
from jobdeck.services.admin.pauses import Pauses
from jobdeck.wire.base import Page
from jobdeck.wire.pauses import PausedScope, PauseScopeRequest

router = APIRouter(prefix=f"{PREFIX}/pauses", tags=["pauses"])

ScopePath = Annotated[
    str,
    Path(max_length=200, description="`instance`, `project:<name>` or `type:<name>`.", examples=["project:default"]),
]


@router.get("", summary="List paused scopes")
async def list_pauses(services: ServicesDep, caller: CallerDep) -> Page[PausedScope]:
    """What is held back now, by whom and why."""
    return await services.of(Pauses).page(caller)


@router.get("/{scope}", summary="Show a paused scope")
async def show_pause(services: ServicesDep, caller: CallerDep, scope: ScopePath) -> PausedScope:
    """404 when it is not paused."""
    return await services.of(Pauses).get(caller, scope)


@router.put("/{scope}", summary="Pause a scope")
async def pause_scope(
    services: ServicesDep, caller: CallerDep, scope: ScopePath, body: PauseScopeRequest | None = None
) -> PausedScope:
    """Jobs that run go on; no more are started in the scope."""
    return await services.of(Pauses).put(caller, scope, body.reason if body else None)


@router.delete("/{scope}", summary="Let a scope go on", **silent())
async def resume_scope(services: ServicesDep, caller: CallerDep, scope: ScopePath) -> None:
    """404 when it is not paused."""
    await services.of(Pauses).clear(caller, scope)
