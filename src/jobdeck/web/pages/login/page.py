"""Log in with a token or a one-time link, and log out."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.responses import RedirectResponse, Response

from jobdeck.access.sessions import Device, NewSession
from jobdeck.api.admin.login_links import PATH
from jobdeck.api.http.authentication import Pace, cookie_name, cookie_path, is_secure
from jobdeck.api.http.server.connections import bounded_address
from jobdeck.api.http.server.prefix import is_below
from jobdeck.api.http.server.proxies import client_of
from jobdeck.core.errors import Unauthenticated
from jobdeck.web.page import AnyonesPageDep, PageContext

router = APIRouter(include_in_schema=False)

AFTER_LOGIN = "/jobs"
FAILURES = (0.2, 20)
"""Logins of one address that may fail and are told why: so many a second for ever, and so many at once. Nobody guesses
256 bits; whoever tries is told to stop, and whoever has the right token is never kept out by them."""

Next = Annotated[str | None, Query(max_length=2000)]
Link = Annotated[str | None, Query(max_length=200)]


@router.api_route(PATH, methods=["GET", "HEAD"])
async def login_page(page: AnyonesPageDep, next: Next = None, link: Link = None) -> Response:
    """The form; with a link, one button, which only a person presses: a link that somebody else sent must not change
    who a browser is. Looking at it uses nothing up: browsers and mail programs fetch links that nobody followed."""
    if link is None:
        return page.redirect(local(next, page.root)) if page.known else await _show(page, next)
    try:
        whose = await page.services.sessions.peek(link)
    except Unauthenticated as error:
        return await _show(page, next, error, status=410)
    other = page.known is not None and page.known.principal_id != whose.principal_id
    return await page.render("login/link.html", link=link, next=local(next, page.root), whose=whose, other=other)


@router.post(PATH)
async def log_in(
    page: AnyonesPageDep,
    token: Annotated[str, Form(max_length=500)] = "",
    link: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Begin a session. What is right is let in however much else was tried: only failures are counted."""
    sessions = page.services.sessions
    address = client_of(page.request.scope)
    try:
        device = Device(address, page.request.headers.get("user-agent"))
        begun = await (sessions.begin_by_link(link, device) if link else sessions.begin(token, device))
    except Unauthenticated as error:
        failures: Pace = page.request.app.state.login_failures
        seconds = failures.take(bounded_address(address), time.monotonic())
        if seconds:
            slow_down = Unauthenticated(f"Too many tries from here. Wait {seconds} s.")
            return await _show(page, next, slow_down, status=429, retry_after=seconds)
        return await _show(page, next, error, status=410 if link else 401)
    if page.session is not None:
        await sessions.end(page.session)
    return _with_cookie(page, begun, RedirectResponse(local(next, page.root), 303))


@router.post("/logout")
async def log_out(page: AnyonesPageDep) -> Response:
    """End the session."""
    if page.session is not None:
        await page.services.sessions.end(page.session)
    response = page.redirect(f"{PATH}?bye=1")
    scope = page.request.scope
    path, secure = cookie_path(scope), is_secure(scope)
    response.delete_cookie(cookie_name(scope), path=path, secure=secure, httponly=True, samesite="lax")
    return response


def local(url: str | None, root: str = "") -> str:
    """`url` without the prefix `root`, if it leads to a page of this server, else the first page: links must not lead
    people astray."""
    url = url[len(root) :] if url and root and is_below(url, root) else url
    if not url or not url.startswith("/") or url[1:2] in ("/", "\\") or url.startswith(PATH):
        return AFTER_LOGIN
    return url if url.isprintable() and "\\" not in url else AFTER_LOGIN


async def _show(
    page: PageContext,
    next: str | None,
    error: Unauthenticated | None = None,
    *,
    status: int = 200,
    retry_after: int = 0,
) -> Response:
    bye = "bye" in page.request.query_params
    response = await page.render("login/page.html", status=status, next=local(next, page.root), error=error, bye=bye)
    if retry_after:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _with_cookie(page: PageContext, begun: NewSession, response: Response) -> Response:
    """Lax, not strict: with strict, a link to a job in a mail or chat would arrive at the login page."""
    response.set_cookie(
        cookie_name(page.request.scope),
        begun.cookie,
        max_age=page.services.sessions.seconds,
        path=cookie_path(page.request.scope),
        secure=is_secure(page.request.scope),
        httponly=True,
        samesite="lax",
    )
    return response
