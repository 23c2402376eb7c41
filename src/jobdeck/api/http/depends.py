"""What routes ask for: the services, the one who asks, and the parameters that many routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from jobdeck.access.caller import Caller
from jobdeck.api.http.described import query_names
from jobdeck.core.errors import InvalidInput, Unauthenticated
from jobdeck.core.output.nearest import nearest
from jobdeck.services.cursors import MAX_CURSOR
from jobdeck.services.jobs.queries import DEFAULT_LIMIT, MAX_LIMIT
from jobdeck.services.services import Services
from jobdeck.wire.base import MAX_ID, Digits


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


ServicesDep = Annotated[Services, Depends(_services)]
CallerDep = Annotated[Caller, Depends(_caller)]
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
