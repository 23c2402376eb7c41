"""Saved views of the page of jobs."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TypedDict, Unpack

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import MAX_PAGE, Resource
from jobdeck.client.http.transport import parsed
from jobdeck.wire.base import Page
from jobdeck.wire.saved_views import Density, SavedView, SavedViewRequest


class ViewLook(TypedDict, total=False):
    """How a view shows what its query finds, and in which project it is shared; None means not said."""

    columns: Sequence[str] | None
    density: Density | None
    project: str | None


class SavedViewsResource(Resource):
    """`client.views`: one's own, and those that are shared in a project."""

    def list(self, project: str | None = None) -> builtins.list[SavedView]:
        """One's own and the shared ones; with `project`, of the shared ones only those of that project."""
        return self._all(Page[SavedView], "/views", {"project": project, "limit": MAX_PAGE})

    def get(self, id: int) -> SavedView:
        return self._transport.get(SavedView, f"/views/{id}")

    def create(self, name: str, query: str = "", **look: Unpack[ViewLook]) -> SavedView:
        """Save the query string of the page of jobs under a name; with `project`, shared there."""
        return self._transport.post(SavedView, "/views", _request(name, query, look))

    def save(self, id: int, name: str, query: str = "", **look: Unpack[ViewLook]) -> SavedView:
        """Exchange all of a view."""
        return parsed(SavedView, self._transport.write("PUT", f"/views/{id}", _request(name, query, look)))

    def delete(self, id: int) -> None:
        """A shared one is gone for all."""
        self._transport.write("DELETE", f"/views/{id}")


def _request(name: str, query: str, look: ViewLook) -> SavedViewRequest:
    columns = look.get("columns")
    chosen = None if columns is None else list(columns)
    return request(SavedViewRequest, name=name, query=query, **{**look, "columns": chosen})
