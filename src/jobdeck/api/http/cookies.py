"""The cookie of a browser's session: its name, and how it is read."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import Scope

SESSION_COOKIE = "jobdeck_session"
_USUAL_PORTS = (None, 80, 443, 8380)


def is_secure(scope: Scope) -> bool:
    """Whether the browser came by https, perhaps to a proxy that is trusted."""
    return str(scope.get("scheme")) == "https"


def cookie_name(scope: Scope) -> str:
    """The name at the address that was asked. Browsers share cookies between the ports of a machine, so that two
    servers on one (the demo beside another) would log each other's people out, were it the same for all ports. By https
    it has the prefix with which no other host of the domain can set it."""
    port = HTTPConnection(scope).url.port
    name = SESSION_COOKIE if port in _USUAL_PORTS else f"{SESSION_COOKIE}_{port}"
    return f"__Host-{name}" if is_secure(scope) else name


def session_cookie(scope: Scope) -> str | None:
    """What the browser sent, if it did."""
    return HTTPConnection(scope).cookies.get(cookie_name(scope))
