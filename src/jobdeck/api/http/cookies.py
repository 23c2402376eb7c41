"""The cookie of a browser's session: its name, and how it is read."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import Scope

from jobdeck.api.http.server.prefix import root_of

SESSION_COOKIE = "jobdeck_session"
_USUAL_PORTS = (None, 80, 443, 8380)


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
