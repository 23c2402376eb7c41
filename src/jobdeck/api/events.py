"""Live events as server-sent events: resumable, filtered, kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from jobdeck.access.caller import Caller
from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.core.errors import JobdeckError
from jobdeck.services.events import EventQuery, ToldPiece
from jobdeck.services.services import Services
from jobdeck.wire.base import MAX_ID, Digits

router = APIRouter(prefix=f"{PREFIX}/events", tags=["events"])

HEARTBEAT = 10.0
"""Seconds after which a comment is sent, so that both ends know of each other, and the token is looked at again."""
RETRY = 2000
"""Milliseconds that a browser waits before it connects again."""

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events, for ever."}
}
EventId = Annotated[
    Digits | None, Query(ge=0, le=MAX_ID, description="Begin behind this event; default: with what comes.")
]


@router.get("", summary="Follow live events", response_class=StreamingResponse, responses=_STREAM)
async def follow(
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
    project: Annotated[str | None, Query(max_length=200)] = None,
    job: Annotated[Digits | None, Query(ge=1, le=MAX_ID)] = None,
    after: EventId = None,
    last_event_id: Annotated[Digits | None, Header(ge=0, le=MAX_ID)] = None,
) -> StreamingResponse:
    """Each event has `id`, `event` (its kind) and `data` (JSON). `Last-Event-ID` goes on behind the last one seen."""
    asked = EventQuery(project, job, last_event_id if last_event_id is not None else after)
    events = await services.events.follow(caller, asked)
    lines = _lines(events, services, caller, request.app.state.closing)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines, headers=headers, media_type="text/event-stream")


async def _lines(
    events: AsyncIterator[ToldPiece], services: Services, caller: Caller, closing: asyncio.Event
) -> AsyncIterator[str]:
    """The stream; ends when the server stops or the token does."""
    yield f"retry: {RETRY}\n\n"
    ending = asyncio.ensure_future(closing.wait())
    coming = asyncio.ensure_future(anext(events))
    clock = asyncio.get_running_loop().time
    due = clock() + HEARTBEAT
    try:
        while True:
            await asyncio.wait({coming, ending}, timeout=max(0.0, due - clock()), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                return
            if coming.done():
                yield coming.result().written(_message)
                coming = asyncio.ensure_future(anext(events))
            if clock() >= due:
                yield ": still here\n\n"
                await services.events.check(caller)
                due = clock() + HEARTBEAT
    except (JobdeckError, StopAsyncIteration):
        return
    finally:
        ending.cancel()
        coming.cancel()
        await asyncio.gather(ending, coming, return_exceptions=True)
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def _message(id: int | None, kind: str, text: str) -> str:
    number = f"id: {id}\n" if id is not None else ""
    return f"{number}event: {kind}\ndata: {text}\n\n"
