"""What the parts of the client have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from jobdeck.client.http.transport import Params, Transport, path_part
from jobdeck.client.settings import DEFAULT_PROJECT, named_project
from jobdeck.wire.base import Page

T = TypeVar("T")

MAX_PAGE = 500


def of_project(name: str | None) -> str:
    """The path of what a project has; without a name, of the one in the environment, else of the default one."""
    return f"/projects/{path_part(name or named_project() or DEFAULT_PROJECT)}"


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

    def _all(self, page_type: type[Page[T]], path: str, params: Params | None = None) -> list[T]:
        """The same of a list that is short."""
        return list(self._every(page_type, path, params))


def forced(path: str, force: bool) -> str:
    """The path of what is to be deleted, also while others need it."""
    return f"{path}?force=true" if force else path
