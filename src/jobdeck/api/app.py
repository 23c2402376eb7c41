"""The application: routes, the layers around them, and the answers that say no."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from jobdeck.api.http import problem
from jobdeck.api.http.authentication import Authentication, Only, Pace, is_browsers
from jobdeck.api.http.bodies import Bodies
from jobdeck.api.http.cross_site import CrossSite
from jobdeck.api.http.depends import CallerDep, refuse_unknown_query
from jobdeck.api.http.described import PREFIX, describe
from jobdeck.api.http.frame import Compression, Doors, Frame
from jobdeck.api.http.server.proxies import Proxies, root_of
from jobdeck.api.resources import routers
from jobdeck.services.services import Services


def create_app(services: Services, doors: Doors | None = None) -> FastAPI:
    """The REST API over `services`. Whoever serves it sets `app.state.closing` before it stops: live streams end."""
    doors = doors or Doors()
    app = FastAPI(
        title="Jobdeck",
        version=services.installation.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            *_proxies(doors),
            Middleware(Frame, registry=services.metrics.registry, allowed_hosts=doors.allowed_hosts),
            Middleware(Compression),
            Middleware(Authentication, authenticator=services.authenticator, sessions=services.sessions, pace=Pace()),
            Middleware(Bodies),
            Middleware(Only, layer=CrossSite, whose=is_browsers),
        ],
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    app.state.closing = asyncio.Event()
    app.state.query_names = {}
    problem.install(app)
    app.router.routes.extend(routes())

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False)
    async def openapi(_caller: CallerDep, request: Request) -> Any:
        """The description of all this, with the path below which it was asked."""
        root = root_of(request.scope)
        return JSONResponse(describe(app) | ({"servers": [{"url": root}]} if root else {}))

    return app


@cache
def routes() -> Sequence[BaseRoute]:
    """The same for every application of this process: FastAPI analyzes them at the first request, for half a second."""
    every = APIRouter(generate_unique_id_function=_operation_id)
    strict = [Depends(refuse_unknown_query)]
    for router in routers():
        every.include_router(router, dependencies=strict)
    return every.routes


def _proxies(doors: Doors) -> list[Middleware]:
    """The layer for what stands in front of the server, where anything may."""
    if not doors.trusted_proxies and not doors.path_prefix:
        return []
    return [Middleware(Proxies, trusted=doors.trusted_proxies, path_prefix=doors.path_prefix)]


def _operation_id(route: APIRoute) -> str:
    return route.name
