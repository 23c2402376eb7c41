"""Around every request: an id, an access log line, safe headers, figures, and an answer even when all goes wrong."""

from __future__ import annotations

import re
import time
import traceback
import uuid

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.api.http import problem

log = structlog.get_logger("jobdeck.access_log")
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Frame:
    """The outermost layer of the API."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        labels = ["method", "route", "status"]
        self._count = Counter("jobdeck_http_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram("jobdeck_http_seconds", "Time until the answer began.", ["route"], registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        exchange = _Exchange(send, given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        try:
            await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or 499
        except Exception as error:  # noqa: BLE001  (whatever it is, the one who asks gets an answer)
            self._tell(scope, exchange, error)
            if exchange.status is None:
                answer = problem.response(problem.of_crash(exchange.request_id))
                await answer(scope, receive, exchange.send)
        finally:
            self._note(scope, exchange)

    def _tell(self, scope: Scope, exchange: _Exchange, error: Exception) -> None:
        """The traceback as text: log renderers that show local variables would show secrets."""
        lines = "".join(traceback.format_exception(error))
        path = scope["path"]
        log.error("request_crashed", request_id=exchange.request_id, method=scope["method"], path=path, traceback=lines)

    def _note(self, scope: Scope, exchange: _Exchange) -> None:
        route = getattr(scope.get("route"), "path_format", "(none)")
        status = str(exchange.status or 499)
        self._count.labels(scope["method"], route, status).inc()
        self._seconds.labels(route).observe(exchange.answered_after)
        caller = scope.get("state", {}).get("caller")
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=int(status),
            seconds=round(exchange.answered_after, 4),
            caller=caller.name if caller else None,
            request_id=exchange.request_id,
        )


class _Exchange:
    """One request and what became of it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._began = time.monotonic()
        self.request_id = request_id
        self.status: int | None = None
        self.answered_after = 0.0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answered_after = time.monotonic() - self._began
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            for name, value in _SAFE.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
