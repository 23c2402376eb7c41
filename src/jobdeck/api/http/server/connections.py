"""Connections to the server: how many there may be, which give way when there are too many, and HTTP on each of them
with an end to everybody's patience: for headers, for a body nobody reads, for an answer.

uvicorn has bounds for none of these, and what is no whole request yet, no layer of an application ever sees. So this is
uvicorn's own protocol with the times added, in the place where uvicorn lets one put a protocol. A listener of our own
around it would have to read HTTP a second time to know when headers are complete."""

from __future__ import annotations

import asyncio
import ipaddress
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from jobdeck.api.http import problem
from jobdeck.api.http.server.proxies import Network, is_among
from jobdeck.wire.problem import MEDIA_TYPE, Problem

log = structlog.get_logger("jobdeck.connections")

TOLD_EVERY = 10.0
"""Seconds between two lines of the log about connections that were refused."""
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


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections there may be in all and of one address; those of `proxies` stand for many people."""

    in_all: int = 5000
    per_address: int = 1000
    proxies: Sequence[Network] = ()


def bounds(in_all: int, per_address: int, files: int, proxies: Sequence[Network] = ()) -> Bounds:
    """The bounds that are wished, as far as `files` open files allow; no address may have more than half of all."""
    most = max(10, min(in_all, files))
    return Bounds(most, max(5, min(per_address, most // 2)), proxies)


class CountedConnection(Protocol):
    """What is counted."""

    def break_off(self) -> None:
        """Close it at once, whatever it waits for."""

    def look(self, now: float) -> None:
        """Close it where it has taken too long."""


class ConnectionCounts:
    """Counts connections by address. A newcomer that is one too many takes the place of the connection of its address
    (or of all) that has been without a caller for longest: one that waits, or has not said who asks. So whoever opens
    many and leaves them open closes only their own, and who asks at once is served."""

    def __init__(self, allowed: Bounds) -> None:
        self.allowed = allowed
        self._of: dict[str, int] = {}
        self._address: dict[CountedConnection, str] = {}
        self._strangers: OrderedDict[CountedConnection, None] = OrderedDict()
        self._strangers_of: dict[str, OrderedDict[CountedConnection, None]] = {}
        self.refused = 0
        self._told = (0, 0.0)

    def __len__(self) -> int:
        return len(self._address)

    def __iter__(self) -> Iterator[CountedConnection]:
        return iter(tuple(self._address))

    def admit(self, newcomer: CountedConnection, host: str) -> bool:
        """Count `newcomer`, if there is room for it or room can be made."""
        address = bounded_address(host)
        counted = not is_among(host, self.allowed.proxies)
        if counted and self._of.get(address, 0) >= self.allowed.per_address:
            self._make_room(self._strangers_of.get(address))
        if len(self._address) >= self.allowed.in_all:
            self._make_room(self._strangers)
        full = counted and self._of.get(address, 0) >= self.allowed.per_address
        if full or len(self._address) >= self.allowed.in_all:
            self._refuse(address)
            return False
        self._address[newcomer] = address
        self._of[address] = self._of.get(address, 0) + 1
        self.without_caller(newcomer)
        return True

    def with_caller(self, connection: CountedConnection) -> None:
        """It is known who asks: the connection gives way to nobody."""
        self._strangers.pop(connection, None)
        address = self._address.get(connection, "")
        mine = self._strangers_of.get(address)
        if mine is not None:
            mine.pop(connection, None)
            if not mine:
                del self._strangers_of[address]

    def without_caller(self, connection: CountedConnection) -> None:
        """It waits for a request, or it is not known yet who asks."""
        address = self._address.get(connection)
        if address is not None:
            self._strangers[connection] = None
            self._strangers.move_to_end(connection)
            mine = self._strangers_of.setdefault(address, OrderedDict())
            mine[connection] = None
            mine.move_to_end(connection)

    def leave(self, connection: CountedConnection) -> None:
        """It is closed."""
        self.with_caller(connection)
        address = self._address.pop(connection, None)
        if address is not None:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]

    def look(self, now: float) -> None:
        """Let each close itself that has taken too long."""
        for connection in self:
            connection.look(now)

    def _make_room(self, strangers: OrderedDict[CountedConnection, None] | None) -> None:
        if strangers:
            oldest = next(iter(strangers))
            self.leave(oldest)
            oldest.break_off()

    def _refuse(self, address: str) -> None:
        self.refused += 1
        before, at = self._told
        if time.monotonic() - at > TOLD_EVERY:
            log.warning("connections_refused", count=self.refused - before, last_address=address, open=len(self))
            self._told = (self.refused, time.monotonic())


def bounded_address(host: str) -> str:
    """What counts as one address: of IPv6 the network of a site, of which each has 2⁶⁴ addresses."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:100]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


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
