"""The cookie of a browser's session: its name, and how it is read."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import Scope

SESSION_COOKIE = "jobdeck_session"
_USUAL_PORTS = (None, 80, 443, 8380)


def cookie_name(scope: Scope) -> str:
    """The name at the address that was asked. Browsers share cookies between the ports of a machine, so that two
    servers on one (the demo beside another) would log each other's people out, were it the same for all ports."""
    port = HTTPConnection(scope).url.port
    return SESSION_COOKIE if port in _USUAL_PORTS else f"{SESSION_COOKIE}_{port}"


def session_cookie(scope: Scope) -> str | None:
    """What the browser sent, if it did."""
    return HTTPConnection(scope).cookies.get(cookie_name(scope))
