"""HTTP on one connection, with an end to everybody's patience: for headers, for a body nobody reads, for an answer.

uvicorn has bounds for none of these, and what is no whole request yet, no layer of an application ever sees. So this is
uvicorn's own protocol with the times added, in the place where uvicorn lets one put a protocol. A listener of our own
around it would have to read HTTP a second time to know when headers are complete."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from jobdeck.api.http import problem
from jobdeck.api.http.server.connections import ConnectionCounts
from jobdeck.wire.problem import MEDIA_TYPE, Problem

HEADER_SECONDS = 10.0
"""From the opening of a connection, or the end of the answer before, until the headers of a request are complete."""
IDLE_SECONDS = 5
"""That a connection is kept after an answer while nothing comes."""
LINGER_SECONDS = 3.0
"""That the rest of a body is taken in and thrown away after the answer, so that the client reads the answer first."""
STALL_SECONDS = 30.0
"""That a client may leave an answer unread without taking any of it."""
MAX_HEAD = 32 * 1024
"""Bytes of a request's first line and headers."""
KNOWN = "jobdeck.known"
"""Among a request's extensions: what is called when it is known who asks."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, counted by `connections` and looked at by it each second."""

    connections_of_all: ConnectionCounts

    _counted = False
    _due: float | None = None
    """When it must be over with what it waits for; None while a request is being answered."""
    _stalled: tuple[float, int] | None = None
    """Since when so many bytes of the answer have not become fewer."""
    _anything_came = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        if not self.connections_of_all.admit(self, str(peer[0]) if peer else ""):
            transport.write(_raw(_too_many()))
            transport.close()
            self.transport = transport
            return
        self._counted = True
        self._due = self.loop.time() + HEADER_SECONDS
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted:
            self.connections_of_all.leave(self)
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._counted and not self.transport.is_closing():
            self._anything_came = True
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_answering():
            self._due = None
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]
            scope.setdefault("extensions", {}).setdefault(KNOWN, self._is_known)

    def on_response_complete(self) -> None:
        self.connections_of_all.without_caller(self)
        unread = self.conn.their_state is h11.SEND_BODY
        self._anything_came = False
        self._due = self.loop.time() + (LINGER_SECONDS if unread else HEADER_SECONDS)
        super().on_response_complete()

    def resume_writing(self) -> None:
        self._stalled = None
        if self._counted:
            super().resume_writing()

    def pause_writing(self) -> None:
        if self._counted:
            super().pause_writing()

    def send_400_response(self, msg: str) -> None:
        """What cannot be understood as HTTP, or is too long, is told so; a request in the middle is over with it."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        self._end_with(_not_http(status, str(error) if error is not None else msg))

    def look(self, now: float) -> None:
        """Close it where it has taken too long."""
        if self._is_stalled(now):
            self.break_off()
        elif self._due is not None and now > self._due and not self.transport.is_closing():
            waits_for_headers = self.conn.their_state is h11.IDLE
            if waits_for_headers and self._anything_came:
                self._end_with(_too_slow())
            else:
                self.transport.close()

    def break_off(self) -> None:
        """Close it at once, whatever it waits for."""
        self.transport.abort()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _is_known(self) -> None:
        self.connections_of_all.with_caller(self)

    def _is_stalled(self, now: float) -> bool:
        left = self.transport.get_write_buffer_size()
        if not left:
            self._stalled = None
        elif self._stalled is None or left < self._stalled[1]:
            self._stalled = (now, left)
        return self._stalled is not None and now - self._stalled[0] > STALL_SECONDS

    def _end_with(self, refusal: Problem) -> None:
        self.transport.write(_raw(refusal))
        self.transport.close()


def protocol_of(connections: ConnectionCounts) -> type[BoundedProtocol]:
    """The protocol for a server whose connections these are."""
    return type("_Protocol", (BoundedProtocol,), {"connections_of_all": connections})


def _too_many() -> Problem:
    detail, hint = "There are too many connections.", "Close those that are not used, and try again."
    return problem.plain(503, "too_many_connections", detail, hint=hint)


def _too_slow() -> Problem:
    return problem.plain(408, "request_timeout", f"The request was not complete after {HEADER_SECONDS:g} s.")


def _not_http(status: int, why: str) -> Problem:
    if status == 431:
        detail = f"The first line and the headers of a request may have {MAX_HEAD} bytes together."
        return problem.plain(431, "headers_too_large", detail, hint="Send what is long in the body.")
    return problem.plain(status if 400 <= status < 500 else 400, "malformed", f"This is no HTTP request: {why}.")


def _raw(refusal: Problem) -> bytes:
    """The whole answer as bytes, for a connection on which no request is being answered."""
    body = refusal.model_dump_json().encode("utf-8", "replace")
    lines: list[tuple[str, Any]] = [
        ("Content-Type", MEDIA_TYPE), ("Content-Length", len(body)), ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"), ("Connection", "close"), *problem.headers_of(refusal).items(),
    ]  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"HTTP/1.1 {refusal.status} {refusal.title}\r\n{head}\r\n".encode("ascii") + body
