"""Tables and collections of a project."""

from __future__ import annotations

import builtins
from urllib.parse import quote

from jobdeck.client.http.resource import DEFAULT_PROJECT, Resource
from jobdeck.client.http.transport import path_part
from jobdeck.wire.base import Page
from jobdeck.wire.objects import ObjectVersion, Rows, TableObject


class Objects(Resource):
    """`client.objects`. A reference is `<connection>/<path>`, for example `lake/in.shop/orders`."""

    def list(self, *, project: str = DEFAULT_PROJECT) -> builtins.list[TableObject]:
        return builtins.list(self._every(Page[TableObject], f"/projects/{path_part(project)}/objects"))

    def describe(self, ref: str, *, project: str = DEFAULT_PROJECT) -> TableObject:
        """Its columns, rows, bytes and versions."""
        return self._transport.get(TableObject, _path(project, ref))

    def versions(self, ref: str, *, project: str = DEFAULT_PROJECT) -> builtins.list[ObjectVersion]:
        """Newest first."""
        return self.describe(ref, project=project).versions

    def rows(self, ref: str, *, project: str = DEFAULT_PROJECT, limit: int = 100, version: str | None = None) -> Rows:
        """Some rows, for a look; as of `version` where one is given."""
        return self._transport.get(Rows, f"{_path(project, ref)}/rows", {"limit": limit, "version": version})


def _path(project: str, ref: str) -> str:
    return f"/projects/{path_part(project)}/objects/{quote(ref, safe='/')}"
