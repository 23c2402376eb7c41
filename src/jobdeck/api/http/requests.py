"""What is refused of a request before anything looks at it: methods, names and addresses that nothing here means."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.types import Scope

from jobdeck.api.http import problem
from jobdeck.api.http.described import PUBLIC
from jobdeck.api.http.gate import is_page
from jobdeck.api.http.server.prefix import HEADER, REFUSED
from jobdeck.api.http.server.protocol import MAX_HEAD
from jobdeck.wire.problem import Problem

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""All others are told so before anything counts or routes them."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(?::([0-9]{1,5}))?")
_MOST_PORT = 65_535


def refusal_of(scope: Scope, allowed_hosts: frozenset[str]) -> Problem | None:
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
    if REFUSED in scope.get("state", {}):
        hint = f"The proxy in front sends {HEADER}; a prefix is like /jobdeck."
        return problem.plain(400, "malformed", scope["state"][REFUSED], field=HEADER, hint=hint)
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
