"""What a page's route asks for: who looks, at which project, and how its answer is made."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from jobdeck.access.caller import Caller, Permission
from jobdeck.access.sessions import BrowserSession
from jobdeck.api.http.server.prefix import REDIRECT, all_rooted
from jobdeck.api.http.server.proxies import root_of
from jobdeck.core.errors import JobdeckError, Unauthenticated
from jobdeck.services.services import Services
from jobdeck.web.rendering import Templates
from jobdeck.wire.admin import Project
from jobdeck.wire.bulk import Bulk

FRAGMENT = "X-Jobdeck-Fragment"
"""The header with which a script asks for a part of a page."""
PROJECT = "project"
"""The query parameter that every page and every link carries, unless all projects are looked at."""
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; worker-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""A script runs only where the page itself names it, by a word that is another one each time: what people have uploaded
has an address of this server, too."""
HEADERS = {
    # Forms of a page without a referrer would come with `Origin: null`, as if from nowhere.
    "Referrer-Policy": "same-origin",
    "Vary": f"{FRAGMENT}, Cookie, Accept-Encoding",
}
_MOST_PROJECTS = 500
_LATEST_OPERATIONS = 5


def is_fragment(request: Request) -> bool:
    """Whether a script asks for a part of the page."""
    return FRAGMENT in request.headers


def page_behind(request: Request) -> str:
    """The address of the page that the browser shows while its script asks for a part; empty: it does not say."""
    return request.headers.get("X-Jobdeck-Page", "")


@dataclass(slots=True)
class PageContext:
    """One request for a page, by one who may be known or not."""

    request: Request
    services: Services
    templates: Templates
    known: Caller | None
    session: BrowserSession | None
    project: str | None = None
    """The project that is looked at; None: all that the caller may see."""
    projects: list[Project] = field(default_factory=list)
    operations: int = 0
    """Operations on many jobs that the caller asked for and that are under way."""
    latest_operations: list[Bulk] = field(default_factory=list)
    """Those that the caller asked for last, newest first."""
    live_after: int | None = None
    """Id of the newest event before the page read anything: the live stream goes on from there."""
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """By which the page's own scripts are known."""

    @property
    def caller(self) -> Caller:
        """Who looks; raises Unauthenticated, which leads to the login."""
        if self.known is None:
            raise Unauthenticated("You are not logged in.", hint="Log in with a token or a login link.")
        return self.known

    @property
    def csrf(self) -> str:
        """What forms and scripts must send along; empty without a session."""
        return self.session.csrf_token() if self.session else ""

    @property
    def now_ms(self) -> int:
        """The server's clock, by which pages tell times: that of a browser may be wrong."""
        return time.time_ns() // 1_000_000

    @property
    def root(self) -> str:
        """The path below which a proxy offers this server; empty at the root of its address."""
        return root_of(self.request.scope)

    @property
    def is_fragment(self) -> bool:
        return is_fragment(self.request)

    @property
    def shown_path(self) -> str:
        """The path of the page that the browser shows, which is not that of a part of it that a script asks for."""
        shown = page_behind(self.request) if self.is_fragment else ""
        return urlsplit(shown).path.removeprefix(self.root) if shown else self.request.url.path

    def may(self, permission: str) -> bool:
        """Whether to offer something; `job:submit` and so on."""
        return self.known is not None and self.known.may(Permission(permission))

    def link(self, path: str, **query: Any) -> str:
        """A path with its query, and with the project that is looked at (`project=None` leaves it out)."""
        given = {PROJECT: self.project, **query}
        kept = {k: v for k, v in given.items() if v not in (None, "")}
        return str(
            self.request.url.replace(scheme="", netloc="", path=path, query="", fragment="").include_query_params(
                **kept
            )
        )

    def here(self, **query: Any) -> str:
        """The page's own address with parts of its query exchanged; None takes a part out."""
        url = self.request.url.replace(scheme="", netloc="", fragment="")
        gone = [name for name, value in query.items() if value is None]
        kept = {name: value for name, value in query.items() if value is not None}
        return str(url.remove_query_params(gone).include_query_params(**kept))

    async def look_around(self) -> None:
        """What every whole page shows in its head."""
        if self.live_after is None:
            self.live_after = await self.services.events.newest()
        self.projects = (await self.services.projects.page(self.caller, None, _MOST_PROJECTS)).items
        await self.look_at_operations()

    async def look_at_operations(self) -> None:
        """What the menu of operations in the head shows."""
        self.operations = await self.services.bulks.under_way(self.caller)
        found = await self.services.bulks.page(self.caller, None, _LATEST_OPERATIONS, unused=False)
        self.latest_operations = found.items

    async def render(
        self, template: str, *, block: str | None = None, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """The page; or its block `block` alone where a script asks for a fragment."""
        alone = block if self.is_fragment else None
        if alone is None and self.known is not None:
            await self.look_around()
        text = self.templates.render(template, {"page": self, **context}, alone)
        text = all_rooted(text, self.root)
        headers = {**HEADERS, "Content-Security-Policy": POLICY.format(nonce=self.nonce)}
        return HTMLResponse(text.encode("utf-8", "replace"), status, headers)

    def redirect(self, url: str) -> Response:
        """Go there now; a script that asked for a fragment makes its whole page go."""
        if self.is_fragment:
            return Response(status_code=204, headers={REDIRECT: url})
        return RedirectResponse(url, 303)


def templates_of(request: Request) -> Templates:
    templates: Templates = request.app.state.templates
    return templates


def anyones(request: Request) -> PageContext:
    """For pages that need no login."""
    state = request.scope.get("state", {})
    services: Services = request.app.state.services
    page = PageContext(request, services, templates_of(request), state.get("caller"), state.get("session"))
    if page.known is not None:
        page.project = page.known.project or request.query_params.get(PROJECT) or None
    return page


async def _page(request: Request) -> PageContext:
    page = anyones(request)
    if page.known is None:
        refusal: JobdeckError | None = request.scope["state"].get("refusal")
        raise refusal or Unauthenticated("You are not logged in.")
    if not page.is_fragment:
        page.live_after = await page.services.events.newest()
    return page


AnyonesPageDep = Annotated[PageContext, Depends(anyones)]
PageDep = Annotated[PageContext, Depends(_page)]
