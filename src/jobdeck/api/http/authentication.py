"""Who asks: by a token, or by the cookie of a browser's session; told before any route, and at a pace for each: as many
requests as anybody needs, and not so many that others are kept waiting."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from cachetools import TLRUCache
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from jobdeck.access.caller import Authenticator
from jobdeck.access.sessions import BrowserSessions
from jobdeck.api.http import problem
from jobdeck.api.http.described import PUBLIC
from jobdeck.api.http.server.connections import KNOWN
from jobdeck.api.http.server.proxies import root_of
from jobdeck.core.errors import JobdeckError
from jobdeck.wire.problem import Problem

SESSION_COOKIE = "jobdeck_session"
_USUAL_PORTS = (None, 80, 443, 8380)
STATIC = "/static/"
"""Where the scripts and styles of the pages are; they are for everyone."""

_PATIENCE = 2.0
"""Seconds that it may take to find out who asks where it need not be known."""

BURST = 5000
"""Requests that a token may make at once."""
RATE = 500.0
"""Requests a second that it may make for ever."""
MOST = 10_000
"""Buckets that are remembered; with more, the one that was asked for longest ago is forgotten."""

_GUARDED = re.compile(r"/api(/|$)|/metrics(/|$)")


def is_page(path: str) -> bool:
    """Whether people look at this path, so that refusals are pages; all else is for programs."""
    return not _GUARDED.match(path)


def is_browsers(scope: Scope) -> bool:
    """Whether a browser asks: by its session, or for a page."""
    return "session" in scope.get("state", {}) or is_pages(scope)


def is_pages(scope: Scope) -> bool:
    """Whether it is a request for a page, or for a part of one."""
    return scope["type"] == "http" and is_page(scope["path"])


class Only:
    """A layer for some requests alone; all others go past it."""

    def __init__(self, app: ASGIApp, layer: Callable[[ASGIApp], ASGIApp], whose: Callable[[Scope], bool]) -> None:
        self._past = app
        self._through = layer(app)
        self._whose = whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._through if self._whose(scope) else self._past)(scope, receive, send)


class _Bucket(NamedTuple):
    """What is left, and when that was (monotonic seconds)."""

    left: float
    at: float


class Pace:
    """A bucket for each token (or whatever else is counted): it holds `burst` requests, and fills by `rate` a second.
    A bucket that has filled up again is as good as a new one and is forgotten."""

    def __init__(self, rate: float = RATE, burst: int = BURST, most: int = MOST) -> None:
        self.rate = rate
        self.burst = burst
        self._now = 0.0
        self._buckets: TLRUCache[int | str, _Bucket] = TLRUCache(most, self._full_at, timer=lambda: self._now)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, token: int | str, now: float) -> int:
        """Count a request of `token` at `now`: 0 if it may be made, else the whole seconds to wait before the next."""
        self._now = now
        left = self._left(token, now)
        self._buckets[token] = _Bucket(left - 1 if left >= 1 else left, now)
        return self._wait(left)

    def _left(self, token: int | str, now: float) -> float:
        bucket = self._buckets.get(token)
        return float(self.burst) if bucket is None else bucket.left + (now - bucket.at) * self.rate

    def _wait(self, left: float) -> int:
        return 0 if left >= 1 else math.ceil((1 - left) / self.rate)

    def _full_at(self, _token: int | str, bucket: _Bucket, now: float) -> float:
        return now + (self.burst - bucket.left) / self.rate


class Authentication:
    """Tells who asks, by a token or a browser's session; the API and its figures are refused to others at once.

    Pages say themselves what they do with one who is not known; `state.refusal` has the reason."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, sessions: BrowserSessions, pace: Pace) -> None:
        self._app = app
        self._authenticator = authenticator
        self._sessions = sessions
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else STATIC
        if path in PUBLIC:
            await self._identify_if_said(scope)
        elif not path.startswith(STATIC):
            state = scope.setdefault("state", {})
            try:
                await self._identify(scope, state)
                _tell_known(scope)
            except JobdeckError as error:
                state["refusal"] = error
                if not is_page(path):
                    await problem.response(problem.of_error(error))(scope, receive, send)
                    return
            seconds = self._pace.take(state["caller"].token_id, time.monotonic()) if "caller" in state else 0
            if seconds:
                await problem.response(_too_many(seconds), {"Retry-After": str(seconds)})(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _identify(self, scope: Scope, state: dict[str, Any]) -> None:
        """A token goes before a cookie: programs do not send one by accident, browsers send cookies unasked."""
        bearer = _bearer(scope)
        cookie = session_cookie(scope) if bearer is None else None
        if cookie is not None:
            state["session"] = await self._sessions.find(cookie)
            state["caller"] = state["session"].caller
        else:
            state["caller"] = await self._authenticator.caller(bearer)

    async def _identify_if_said(self, scope: Scope) -> None:
        """Who is known is told more; who is not, or cannot be looked up just now, is a stranger here."""
        if _bearer(scope) is None and session_cookie(scope) is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._identify(scope, scope.setdefault("state", {}))
        except (JobdeckError, TimeoutError):
            return
        _tell_known(scope)


def _tell_known(scope: Scope) -> None:
    """The connection of one who is known gives way to nobody."""
    known: Callable[[], None] | None = scope.get("extensions", {}).get(KNOWN)
    if known is not None:
        known()


def _too_many(seconds: int) -> Problem:
    detail = "This token makes too many requests."
    hint = f"Wait {seconds} s. Submit many jobs with one request to …/jobs/batch; follow them with /api/v1/events."
    return problem.plain(429, "rate_limited", detail, hint=hint)


def _bearer(scope: Scope) -> str | None:
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_secure(scope: Scope) -> bool:
    """Whether the browser came by https, perhaps to a proxy that is trusted."""
    return str(scope.get("scheme")) == "https"


def cookie_name(scope: Scope) -> str:
    """The name at the address that was asked. Browsers share cookies between the ports of a machine, so that two
    servers on one (the demo beside another) would log each other's people out, were it the same for all ports. By https
    it has the prefix with which no other host of the domain can set it, or, below a path, which browsers do not take
    together with that, the one with which it is set by https only. Below a path, it has that in its name as well: of
    two servers on one host, one at the root, the other's cookie is sent to both."""
    port = HTTPConnection(scope).url.port
    root = root_of(scope)
    name = (SESSION_COOKIE if port in _USUAL_PORTS else f"{SESSION_COOKIE}_{port}") + root.replace("/", "_")
    if not is_secure(scope):
        return name
    return f"__Secure-{name}" if root else f"__Host-{name}"


def cookie_path(scope: Scope) -> str:
    """To which addresses the browser sends it."""
    return root_of(scope) or "/"


def session_cookie(scope: Scope) -> str | None:
    """What the browser sent, if it did."""
    return HTTPConnection(scope).cookies.get(cookie_name(scope))
