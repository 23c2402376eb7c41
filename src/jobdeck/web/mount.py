"""Puts the pages on the application, beside the API."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from jobdeck.api import app as api
from jobdeck.api.http.authentication import STATIC, Only, Pace, is_pages
from jobdeck.api.http.server.prefix import own_parts, refuse_own
from jobdeck.services.services import Services
from jobdeck.web import discovery, errors
from jobdeck.web.bundles import Bundles
from jobdeck.web.page import PageDep
from jobdeck.web.pages.login.page import FAILURES
from jobdeck.web.ready import Readiness
from jobdeck.web.rendering import Templates
from jobdeck.web.static_files import FOLDER, StaticFiles

_PAGES = discovery.found()
_BUNDLES = Bundles(FOLDER)
_common = APIRouter(include_in_schema=False)


def mount(app: FastAPI) -> None:
    """Add all pages to an application that `create_app` made."""
    services: Services = app.state.services
    app.state.static_files = StaticFiles()
    app.state.templates = Templates(app.state.static_files, services.installation.version)
    app.state.readiness = Readiness(services, app.state.templates)
    rate, burst = FAILURES
    app.state.login_failures = Pace(rate, burst)
    layer = Middleware(Only, layer=errors.PageFrame, whose=is_pages)
    app.user_middleware.append(layer)  # innermost, below the layers of the API
    errors.install(app)
    app.router.routes.extend(_routes())


def check_prefix(prefix: str) -> None:
    """Raises InvalidConfiguration for a path prefix that begins like an address of the API or of a page."""
    if prefix:
        refuse_own(prefix, own_parts([*api.routes(), *_routes()]))


@cache
def _routes() -> Sequence[BaseRoute]:
    """The same for every application of this process, as those of the API are."""
    every = APIRouter()
    for _, router in _PAGES:
        every.include_router(router)
    every.include_router(_common)
    return every.routes


@_common.get("/")
async def start(page: PageDep) -> Response:
    """The jobs are what people come for."""
    return RedirectResponse(page.link("/jobs"), 303)


@_common.get(f"{STATIC}{{name}}")
async def static_file(request: Request, name: str) -> Response:
    """A bundled script or style."""
    return await _BUNDLES.get_response(name, request.scope)
