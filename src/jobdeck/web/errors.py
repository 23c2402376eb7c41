"""What goes wrong, as people see it: a page with the reason and the next step; for scripts a problem document."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.access.caller import LEAST_ROLE, Permission
from jobdeck.api.admin.login_links import PATH as LOGIN
from jobdeck.api.http import problem
from jobdeck.api.http.authentication import STATIC, is_page
from jobdeck.api.http.server.prefix import REDIRECT
from jobdeck.core.errors import Forbidden, JobdeckError, Unauthenticated
from jobdeck.web.page import anyones, is_fragment, page_behind
from jobdeck.web.static_files import AssetsNotBuilt
from jobdeck.wire.problem import Problem

_HEADINGS = {
    403: "You may not do this",
    404: "There is nothing here",
    405: "This cannot be done here",
    409: "This is not possible now",
    422: "A part of this cannot be used",
    429: "Too many requests",
    500: "Jobdeck made a mistake",
    503: "A part of Jobdeck does not answer",
}
_FOR_PROGRAMS = ("GET ", "POST ", "PUT ", "PATCH ", "DELETE ")
"""What a hint begins with that names a call of the API; people have the links of the page."""


def install(app: FastAPI) -> None:
    """Show errors of page paths as pages; the API's stay as they are."""
    for kind in (JobdeckError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _Handler(app.exception_handlers[kind]))


class _Handler:
    """One kind of error: as before for programs, a page for people."""

    def __init__(self, before: Any) -> None:
        self._before = before

    async def __call__(self, request: Request, error: Exception) -> Response:
        if not is_page(request.url.path) or _wants_data(request):
            answer: Response = await self._before(request, error)
            return _to_login(request, answer) if isinstance(error, Unauthenticated) else answer
        if isinstance(error, Unauthenticated) or _is_stranger(request):
            return RedirectResponse(login_url(request), 303)
        return await page_of(request, _problem_of(request, error))


def _is_stranger(request: Request) -> bool:
    """Whether one who is not logged in looks for a page; which pages there are is told after the login."""
    state = request.scope.get("state", {})
    is_open = request.url.path.startswith((LOGIN, STATIC))
    unknown = isinstance(state.get("refusal"), Unauthenticated)
    return unknown and request.method in ("GET", "HEAD") and not is_open


def _wants_data(request: Request) -> bool:
    """Whether a script asked, which shows what went wrong itself."""
    return is_fragment(request) or "application/json" in request.headers.get("accept", "")


def _to_login(request: Request, answer: Response) -> Response:
    if is_page(request.url.path):
        answer.headers[REDIRECT] = f"{LOGIN}?next={quote(_page_behind(request))}"
    return answer


def _page_behind(request: Request) -> str:
    """The path of the page on which a script asked for a fragment."""
    path = page_behind(request).partition("://")[2].partition("/")[2]
    return f"/{path}"


def login_url(request: Request) -> str:
    """The login that leads back to where the request wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or wanted in ("/", LOGIN):
        return LOGIN
    return f"{LOGIN}?next={quote(wanted)}"


async def page_of(request: Request, found: Problem) -> Response:
    """A problem as a page."""
    page = anyones(request)
    if found.status >= 500:
        page.known = None  # the page around it would ask the database, which may be what is broken
    heading = _HEADINGS.get(found.status, found.title)
    if (found.hint or "").startswith(_FOR_PROGRAMS):
        found = found.model_copy(update={"hint": None})
    try:
        response: Response = await page.render(
            "error.html", status=found.status, problem=found, heading=heading, needed=_needed_role(found)
        )
    except AssetsNotBuilt as error:
        response = PlainTextResponse(f"{error.public} {error.hint}\n", 503)
    if found.status == 503:
        response.headers["Retry-After"] = "2"
    return response


def _needed_role(found: Problem) -> str | None:
    permission = found.facts.get("permission")
    return str(LEAST_ROLE[Permission(permission)]) if permission else None


def _problem_of(request: Request, error: Exception) -> Problem:
    if isinstance(error, JobdeckError):
        return problem.of_error(error)
    if isinstance(error, RequestValidationError):
        return problem.of_validation(error.errors())
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    texts = {404: f"No page is called {path}.", 405: f"{request.method} is not possible at {path}."}
    return problem.plain(error.status_code, "not_found", texts.get(error.status_code, f"{error.detail}."))


class PageFrame:
    """Innermost, around pages alone: shows refusals from further out, and mistakes of ours, as pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refusal = scope.get("state", {}).get("refusal")
        if isinstance(refusal, Forbidden):
            await self._refuse(request, refusal, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if not begun:
                found = problem.of_crash(scope["state"]["request_id"])
                answer = problem.response(found) if _wants_data(request) else await page_of(request, found)
                await answer(scope, receive, send)
            raise  # the frame around all writes the log

    async def _refuse(self, request: Request, refusal: Forbidden, send: Send) -> None:
        found = problem.of_error(refusal)
        answer = problem.response(found) if _wants_data(request) else await page_of(request, found)
        await answer(request.scope, request.receive, send)
