"""The path below which a proxy offers the server, such as `/jobdeck`: taken off what is asked, put before what is told.

Routes and pages know nothing of it. It is the scope's `root_path`; paths are without it, whether the proxy takes it
off or not: no prefix begins like an address of our own (config.py), so that it is always clear which it was."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

from jobdeck.config import InvalidConfiguration, prefix_of

HEADER = "X-Forwarded-Prefix"
REFUSED = "refused_prefix"
"""In the scope's state: why the header cannot be used."""
_LEADING = ("location", "hx-redirect", "hx-location", "hx-push-url", "hx-replace-url")
"""Headers of an answer that lead to another address of ours."""
_ADDRESSES = re.compile(
    r"(?<=[\s\"'])((?:href|src|action|formaction|hx-(?:get|post|put|patch|delete|push-url)|content|data-[a-z-]+)=\")"
    r"(/(?!/)[^\"]*)"
)
DATA = frozenset(
    f"data-{name}"
    for name in (
        *("live-src", "src", "children", "home", "items", "more", "further", "href", "url"),
        *("again", "run", "copy-address"),
    )
)
"""Attributes of our own that hold addresses; what else begins with a slash may be anybody's text."""


def root_of(scope: Scope) -> str:
    """The prefix under which this request came in; empty: none."""
    return str(scope.get("root_path", ""))


def take_off(scope: Scope, configured: str, header: str | None) -> None:
    """Note the prefix, of the header before the setting's, and leave the path without it."""
    try:
        prefix = configured if header is None else prefix_of(header)
    except InvalidConfiguration as error:
        scope.setdefault("state", {})[REFUSED] = error.message
        return
    if not prefix:
        return
    scope["root_path"] = prefix
    if is_below(scope["path"], prefix):
        scope["path"] = scope["path"][len(prefix) :] or "/"
        raw = scope.get("raw_path")
        if raw is not None and raw.startswith(prefix.encode()):
            scope["raw_path"] = raw[len(prefix) :] or b"/"


def header_of(headers: Headers) -> str | None:
    """What the nearest proxy says, if it says anything."""
    given = headers.get(HEADER)
    return None if given is None else given.rpartition(",")[2].strip()


def put_before(send: Send, prefix: str) -> Send:
    """An answer's send that leads below the prefix."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in _LEADING:
                if name in headers:
                    headers[name] = rooted(headers[name], prefix)
        await send(message)

    return sending


def rooted(address: str, prefix: str) -> str:
    """`address` below the prefix, where it is a path of ours and does not stand there yet."""
    if not prefix or not address.startswith("/") or address.startswith("//") or is_below(address, prefix):
        return address
    return prefix + address


def all_rooted(html: str, prefix: str) -> str:
    """A page with the prefix before all addresses in it. Text of others is escaped, so it has no quotes that could be
    taken for an attribute's."""
    return _ADDRESSES.sub(lambda found: _one(found, prefix), html) if prefix else html


def _one(found: re.Match[str], prefix: str) -> str:
    name = found[1].partition("=")[0]
    if name.startswith("data-") and name not in DATA:
        return found[0]
    return found[1] + rooted(found[2], prefix)


def is_below(address: str, prefix: str) -> bool:
    return address.startswith(prefix) and address[len(prefix) : len(prefix) + 1] in ("", "/", "?", "#")
