"""What the parts of the client have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from jobdeck.client.http.transport import Params, Transport
from jobdeck.wire.base import Page

T = TypeVar("T")

DEFAULT_PROJECT = "default"
MAX_PAGE = 500


class Resource:
    """A part of the API, reached through one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _every(self, page_type: type[Page[T]], path: str, params: Params | None = None) -> Iterator[T]:
        """All items of a list, page by page as they are asked for."""
        query: dict[str, Any] = dict(params or {})
        while True:
            page = self._transport.get(page_type, path, query)
            yield from page.items
            if page.next is None:
                return
            query["cursor"] = page.next


def forced(path: str, force: bool) -> str:
    """The path of what is to be deleted, also while others need it."""
    return f"{path}?force=true" if force else path
