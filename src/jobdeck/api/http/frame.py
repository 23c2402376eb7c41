"""Around every request: an id, an access log line, safe headers, figures, a refusal of what means nothing here, and an
answer even when all goes wrong, compressed where the one who asks takes that."""

from __future__ import annotations

import asyncio
import re
import time
import traceback
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import unquote_to_bytes

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.api.http import problem
from jobdeck.api.http.authentication import is_page
from jobdeck.api.http.described import PUBLIC
from jobdeck.api.http.server.connections import MAX_HEAD
from jobdeck.api.http.server.proxies import PREFIX_HEADER, REFUSED_PREFIX, Network
from jobdeck.core.values import clip
from jobdeck.wire.problem import Problem

log = structlog.get_logger("jobdeck.access_log")
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
}
_ONLY_HTTPS = "max-age=31536000"
"""For a year, browsers that came by https come by nothing else."""
_MOST_OF_A_PATH = 500
"""Characters of a path that the log shows."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""All others are told so before anything counts or routes them."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(?::([0-9]{1,5}))?")
_MOST_PORT = 65_535

WORTH_IT = 1000
"""Bytes; what is less goes in one packet anyway."""
LEVEL = 5
"""Beyond it, time grows much and size hardly shrinks."""
_AS_THEY_ARE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/zstd")
_REFUSED = re.compile(r"(?:gzip|\*)\s*;\s*q=0(?:\.0*)?\s*(?:,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Doors:
    """By which ways requests may come in: past which proxies, under which names (none: any), below which path."""

    trusted_proxies: Sequence[Network] = ()
    allowed_hosts: Sequence[str] = ()
    path_prefix: str = ""


class Frame:
    """The outermost layer of the API. HEAD is GET whose answer is not sent: what can be read can be asked."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, allowed_hosts: Sequence[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(name.lower() for name in allowed_hosts)
        labels = ["method", "route", "status"]
        self._count = Counter("jobdeck_http_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram("jobdeck_http_seconds", "Time until the answer began.", ["route"], registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        secure = scope["scheme"] == "https"
        exchange = _Exchange(send, given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex, scope["method"], secure)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
            receive = exchange.only_head(receive)
        try:
            await self._answer(scope, receive, exchange)
        finally:
            self._note(scope, exchange)

    async def _answer(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        refusal = _refusal_of(scope, self._hosts)
        if refusal is not None:
            await problem.response(refusal)(scope, receive, exchange.send)
            return
        try:
            await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or 499
        except Exception as error:  # noqa: BLE001  (whatever it is, the one who asks gets an answer)
            self._tell(scope, exchange, error)
            if exchange.status is None:
                answer = problem.response(problem.of_crash(exchange.request_id))
                await answer(scope, receive, exchange.send)

    def _tell(self, scope: Scope, exchange: _Exchange, error: Exception) -> None:
        """The traceback as text: log renderers that show local variables would show secrets."""
        lines = "".join(traceback.format_exception(error))
        path = clip(scope["path"], _MOST_OF_A_PATH)
        log.error("request_crashed", request_id=exchange.request_id, method=exchange.method, path=path, traceback=lines)

    def _note(self, scope: Scope, exchange: _Exchange) -> None:
        """In the figures there is nothing that whoever asks makes up: they would grow with it."""
        route = getattr(scope.get("route"), "path_format", "(none)")
        status = str(exchange.status or 499)
        self._count.labels(exchange.method if exchange.method in METHODS else "other", route, status).inc()
        self._seconds.labels(route).observe(exchange.answered_after)
        caller = scope.get("state", {}).get("caller")
        log.info(
            "request",
            method=clip(exchange.method, 20),
            path=clip(scope["path"], _MOST_OF_A_PATH),
            status=int(status),
            seconds=round(exchange.answered_after, 4),
            caller=caller.name if caller else None,
            request_id=exchange.request_id,
        )


class _Exchange:
    """One request and what became of it."""

    def __init__(self, send: Send, request_id: str, method: str, secure: bool) -> None:
        self._send = send
        self._began = time.monotonic()
        self._secure = secure
        self.method = method
        self.request_id = request_id
        self.status: int | None = None
        self.answered_after = 0.0
        self._ended = asyncio.Event()

    async def send(self, message: Message) -> None:
        if self._ended.is_set():
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answered_after = time.monotonic() - self._began
            self._complete(MutableHeaders(scope=message))
        await self._send(message)
        if self.method == "HEAD" and message["type"] == "http.response.start":
            self._ended.set()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def only_head(self, receive: Receive) -> Receive:
        """What the application hears of a client that wants no body: once the head is sent, it is gone. So a body
        without end, such as the live events, ends as well."""

        async def heard() -> Message:
            if self._ended.is_set():
                return {"type": "http.disconnect"}
            return await receive()

        return heard

    def _complete(self, headers: MutableHeaders) -> None:
        headers["X-Request-Id"] = self.request_id
        for name, value in _SAFE.items():
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
        headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers.setdefault("Strict-Transport-Security", _ONLY_HTTPS)


def _refusal_of(scope: Scope, allowed_hosts: frozenset[str]) -> Problem | None:
    """Why the request is not even looked at; `allowed_hosts` in small letters, none: any."""
    headers = Headers(scope=scope)
    if _bytes_of_head(scope) > MAX_HEAD:
        detail = f"The first line and the headers of a request may have {MAX_HEAD} bytes together."
        return problem.plain(431, "headers_too_large", detail, hint="Send what is long in the body.")
    if scope["method"] not in METHODS:
        hint = f"There are: {', '.join(sorted(METHODS))}."
        return problem.plain(501, "method_not_implemented", "There is no such method here.", hint=hint)
    if is_page(scope["path"]) and b"\0" in unquote_to_bytes(
        scope["path"].encode("utf-8", "replace") + scope.get("query_string", b"")
    ):
        return problem.plain(400, "malformed", "A NUL character cannot stand in an address.", field="path")
    if "transfer-encoding" in headers and "content-length" in headers:
        detail = "A body has a Content-Length or a Transfer-Encoding, not both."
        return problem.plain(400, "malformed", detail, field="Content-Length")
    if REFUSED_PREFIX in scope.get("state", {}):
        hint = f"The proxy in front sends {PREFIX_HEADER}; a prefix is like /jobdeck."
        return problem.plain(400, "malformed", scope["state"][REFUSED_PREFIX], field=PREFIX_HEADER, hint=hint)
    return _host_refusal(headers.get("host"), allowed_hosts if scope["path"] not in PUBLIC else frozenset())


def _bytes_of_head(scope: Scope) -> int:
    """What comes at once is not bounded by the protocol, which only keeps what is incomplete in bounds."""
    address = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    return address + len(scope["method"]) + sum(len(name) + len(value) for name, value in scope["headers"])


def _host_refusal(host: str | None, allowed: frozenset[str]) -> Problem | None:
    """Links and cookies are made from the name that was asked for."""
    found = _HOST.fullmatch(host) if host else None
    if host and (found is None or int(found[2] or 0) > _MOST_PORT or not _is_address(found[1])):
        return problem.plain(400, "malformed", "The Host header is no name or address of a server.", field="Host")
    if allowed and (found is None or found[1].lower() not in allowed):
        detail = "This server is not asked under this name."
        hint = "The setting `allowed_hosts` says under which names it answers."
        return problem.plain(421, "host_not_allowed", detail, field="Host", hint=hint)
    return None


def _is_address(name: str) -> bool:
    """Whether what stands in brackets is an address."""
    if not name.startswith("["):
        return True
    try:
        IPv6Address(name[1:-1])
    except ValueError:
        return False
    return True


class Compression:
    """Compresses answers with gzip, which every client knows: pages, the API's answers, lines of logs.

    Events, which must not wait for each other, go as they are; so do parts of files, and files of whatever content:
    those are mostly compressed, and whoever loads them goes on by ranges of their own bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, WORTH_IT, LEVEL, exclude_content_types=_AS_THEY_ARE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = scope["type"] == "http" and _REFUSED.search(Headers(scope=scope).get("accept-encoding", ""))
        await (self._app if refused else self._compressed)(scope, receive, send)
