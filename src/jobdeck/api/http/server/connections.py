"""All connections to the server: how many there may be, and which give way when there are too many."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from jobdeck.api.http.server.proxies import Network, is_among

log = structlog.get_logger("jobdeck.connections")

TOLD_EVERY = 10.0
"""Seconds between two lines of the log about connections that were refused."""


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
