"""What routes ask for: the services, the one who asks, and the parameters that many routes share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, NamedTuple, TypeVar

from fastapi import Depends, Header, Path, Query, Request
from starlette.requests import ClientDisconnect

from jobdeck.access.caller import Caller
from jobdeck.api.http.described import query_names
from jobdeck.core.errors import InvalidInput, Unauthenticated
from jobdeck.core.output.nearest import nearest
from jobdeck.services.cursors import MAX_CURSOR
from jobdeck.services.jobs.queries import DEFAULT_LIMIT, MAX_LIMIT
from jobdeck.services.services import Services
from jobdeck.wire.base import MAX_ID, Digits

T = TypeVar("T")


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _caller(request: Request) -> Caller:
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    if caller is None:
        raise Unauthenticated("A token is needed.", hint="Send `Authorization: Bearer <token>`.")
    return caller


async def refuse_unknown_query(request: Request) -> None:
    """A query parameter that the route does not know is a mistake and not to be ignored.

    In the loop and not in threads, where two first requests would make the document at once, and each trip costs."""
    if not request.query_params:
        return
    known = query_names(request.app, request.method, request.scope["route"].path_format)
    for name in request.query_params:
        if name not in known:
            hint = nearest(name, known).strip() or f"There are: {', '.join(sorted(known)) or 'none here'}."
            raise InvalidInput(f"There is no query parameter '{name[:100]}'.", field=name[:100], hint=hint)


class Presence:
    """Whether the client of one request, whose body was read, is still there."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def whilst(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; raises ClientDisconnect, with the work canceled, when the client goes before."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
            if working.cancelled():
                raise ClientDisconnect
            return working.result()
        except asyncio.CancelledError:
            working.cancel()
            await asyncio.wait({working})
            raise
        finally:
            leaving.cancel()

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


async def _presence(request: Request) -> Presence:
    return Presence(request)


ServicesDep = Annotated[Services, Depends(_services)]
CallerDep = Annotated[Caller, Depends(_caller)]
PresentDep = Annotated[Presence, Depends(_presence)]
"""For work that is of use only while the one who asked for it is there."""
IdPath = Annotated[Digits, Path(ge=1, le=MAX_ID)]
ProjectPath = Annotated[str, Path(max_length=200, description="The project's short name.", examples=["default"])]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next` of the page before.")]
Limit = Annotated[Digits, Query(ge=1, le=MAX_LIMIT, description="Items of a page, at most.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key with the same request again answers the same and does nothing.",
    ),
]
Force = Annotated[
    bool, Query(description="Delete it though open jobs or configurations name it; those jobs then fail.")
]
PAGE = DEFAULT_LIMIT


class Paging(NamedTuple):
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None


async def _paging(limit: Limit = PAGE, cursor: Cursor = None) -> Paging:
    return Paging(limit, cursor)


class AboutJob(NamedTuple):
    """Who asks about which job; what it is asked of."""

    services: Services
    caller: Caller
    id: int


async def _about_job(services: ServicesDep, caller: CallerDep, id: IdPath) -> AboutJob:
    return AboutJob(services, caller, id)


PagingDep = Annotated[Paging, Depends(_paging)]
JobDep = Annotated[AboutJob, Depends(_about_job)]
