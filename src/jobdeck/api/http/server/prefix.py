"""The path below which a proxy offers the server, such as `/jobdeck`, put before the addresses in what is answered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import Message, Send

from jobdeck.config import InvalidConfiguration

REDIRECT = "X-Jobdeck-Redirect"
"""The header that leads the page of a script that asked for a part of it elsewhere."""
_LEADING = ("Location", REDIRECT)
"""Headers of an answer that lead to another address of ours."""
_ADDRESSES = re.compile(
    r"(?<=[\s\"'])((?:href|src|action|formaction|content|data-[a-z-]+)=\")"
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


def own_parts(routes: Sequence[BaseRoute]) -> frozenset[str]:
    """What the addresses of an application's routes begin with."""
    paths = (found.path for found in iter_route_contexts(routes))
    return frozenset(path.split("/")[1] for path in paths if path) - {""}


def refuse_own(prefix: str, own: frozenset[str]) -> None:
    """Raises InvalidConfiguration where it would not be clear whether an address is meant or one below the prefix."""
    first = prefix.split("/")[1] if prefix else ""
    if first in own:
        raise InvalidConfiguration(
            f"A path prefix cannot begin with /{first}, as an address of Jobdeck does.",
            field="path_prefix",
            hint="Choose another one, such as /jobdeck.",
        )


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
