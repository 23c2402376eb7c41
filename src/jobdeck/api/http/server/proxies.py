"""Whom a request comes from, and under which address it was asked, where a proxy stands in front.

Routes and pages know nothing of the path below which a proxy offers the server, such as `/jobdeck`. It is the scope's
`root_path`; paths are without it, whether the proxy takes it off or not: no prefix begins like an address of our own,
so that it is always clear which it was."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jobdeck.api.http.server.prefix import is_below, own_parts, put_before, refuse_own
from jobdeck.config import InvalidConfiguration, prefix_of

PREFIX_HEADER = "X-Forwarded-Prefix"
REFUSED_PREFIX = "refused_prefix"
"""In the scope's state: why that header cannot be used."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """Takes client, scheme, host and path prefix from `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`, where one of
    `trusted` sends them. From anybody else, this machine included, these headers mean nothing."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network] = (), path_prefix: str = "") -> None:
        self._app = app
        self._trusted = tuple(trusted)
        self._prefix = path_prefix
        self._own: frozenset[str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            sent = None
            if self._trusted and is_among(client_of(scope), self._trusted):
                headers = Headers(scope=scope)
                sent = _prefix_sent(headers)
                _take_over(scope, headers, self._trusted)
            prefix = self._prefix if sent is None else self._usable(scope, sent)
            if prefix:
                _take_off(scope, prefix)
            if root_of(scope):
                send = put_before(send, root_of(scope))
        await self._app(scope, receive, send)

    def _usable(self, scope: Scope, sent: str) -> str:
        """The prefix that a proxy sends; empty, with a note in the scope, where it cannot be one."""
        if self._own is None:
            self._own = own_parts(scope["app"].routes)
        try:
            prefix = prefix_of(sent)
            refuse_own(prefix, self._own)
        except InvalidConfiguration as error:
            scope.setdefault("state", {})[REFUSED_PREFIX] = error.message
            return ""
        return prefix


def root_of(scope: Scope) -> str:
    """The prefix under which this request came in; empty: none."""
    return str(scope.get("root_path", ""))


def client_of(scope: Scope) -> str:
    """The address that asks."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_among(host: str, networks: Sequence[Network]) -> bool:
    """Whether `host` is an address in one of `networks`."""
    if not networks:
        return False
    try:
        address: Any = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def _take_off(scope: Scope, prefix: str) -> None:
    """Note the prefix, and leave the path without it."""
    scope["root_path"] = prefix
    if is_below(scope["path"], prefix):
        scope["path"] = scope["path"][len(prefix) :] or "/"
        raw = scope.get("raw_path")
        if raw is not None and raw.startswith(prefix.encode()):
            scope["raw_path"] = raw[len(prefix) :] or b"/"


def _prefix_sent(headers: Headers) -> str | None:
    """What the nearest proxy says, if it says anything."""
    given = headers.get(PREFIX_HEADER)
    return None if given is None else given.rpartition(",")[2].strip()


def _take_over(scope: Scope, headers: Headers, trusted: Sequence[Network]) -> None:
    """Each proxy appends whom it was asked by, so the last address that is no trusted proxy is the client's."""
    passed = [part.strip() for line in headers.getlist("x-forwarded-for") for part in line.split(",")]
    for given in reversed(passed):
        host = _without_port(given)
        if host is None:
            break  # what stands before it cannot be relied on either
        scope["client"] = (host, 0)
        if not is_among(host, trusted):
            break
    scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    if scheme in ("http", "https"):
        scope["scheme"] = scheme
    host_asked = headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
    if host_asked:
        kept = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*kept, (b"host", host_asked.encode("latin-1"))]


def _without_port(given: str) -> str | None:
    """The address of `203.0.113.7`, `203.0.113.7:4711`, `[2001:db8::1]:4711`; None for anything else."""
    host = given
    if given.startswith("["):
        host = given[1:].partition("]")[0]
    elif given.count(":") == 1:
        host = given.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
