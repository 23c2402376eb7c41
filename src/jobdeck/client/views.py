"""Saved views of the page of jobs."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import MAX_PAGE, Resource
from jobdeck.client.http.transport import parsed
from jobdeck.wire.base import Page
from jobdeck.wire.saved_views import Density, SavedView, SavedViewRequest


class SavedViewsResource(Resource):
    """`client.views`: one's own, and those that are shared in a project."""

    def list(self, project: str | None = None) -> builtins.list[SavedView]:
        """One's own and the shared ones; with `project`, of the shared ones only those of that project."""
        return builtins.list(self._every(Page[SavedView], "/views", {"project": project, "limit": MAX_PAGE}))

    def get(self, id: int) -> SavedView:
        return self._transport.get(SavedView, f"/views/{id}")

    def create(
        self,
        name: str,
        query: str = "",
        *,
        columns: Sequence[str] | None = None,
        density: Density | None = None,
        project: str | None = None,
    ) -> SavedView:
        """Save the query string of the page of jobs under a name; with `project`, shared there."""
        return self._transport.post(SavedView, "/views", _request(name, query, columns, density, project))

    def save(
        self,
        id: int,
        name: str,
        query: str = "",
        *,
        columns: Sequence[str] | None = None,
        density: Density | None = None,
        project: str | None = None,
    ) -> SavedView:
        """Exchange all of a view."""
        body = _request(name, query, columns, density, project)
        return parsed(SavedView, self._transport.write("PUT", f"/views/{id}", body))

    def delete(self, id: int) -> None:
        """A shared one is gone for all."""
        self._transport.write("DELETE", f"/views/{id}")


def _request(
    name: str, query: str, columns: Sequence[str] | None, density: Density | None, project: str | None
) -> SavedViewRequest:
    chosen = None if columns is None else builtins.list(columns)
    return request(SavedViewRequest, name=name, query=query, columns=chosen, density=density, project=project)
