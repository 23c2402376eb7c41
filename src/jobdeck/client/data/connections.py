"""Connections, with their secrets."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource, forced, of_project
from jobdeck.client.http.transport import parsed, path_part
from jobdeck.wire.admin import Connection, ConnectionChange, ConnectionRequest, ConnectionTest
from jobdeck.wire.base import Page


class ConnectionsResource(Resource):
    """`client.connections`."""

    def list(self, *, project: str | None = None) -> builtins.list[Connection]:
        return self._all(Page[Connection], f"{of_project(project)}/connections")

    def create(
        self,
        name: str,
        kind: str,
        options: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
        *,
        project: str | None = None,
    ) -> Connection:
        """`secrets` are put among the options for the tasks of jobs, and never shown again."""
        body = request(
            ConnectionRequest, name=name, kind=kind, options=dict(options or {}), secrets=dict(secrets or {})
        )
        return self._transport.post(Connection, f"{of_project(project)}/connections", body)

    def get(self, name: str, *, project: str | None = None) -> Connection:
        return self._transport.get(Connection, f"{of_project(project)}/connections/{path_part(name)}")

    def change(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
        *,
        project: str | None = None,
    ) -> Connection:
        """Put `options` and `secrets` over those that there are; None takes one out, what is not named stays.

        Where the address changes, its secrets have to be given again."""
        body = request(ConnectionChange, options=dict(options or {}), secrets=dict(secrets or {}))
        path = f"{of_project(project)}/connections/{path_part(name)}"
        return parsed(Connection, self._transport.write("PATCH", path, body))

    def test(self, name: str, *, project: str | None = None) -> ConnectionTest:
        """Whether the place that it leads to answers, within 15 s."""
        path = f"{of_project(project)}/connections/{path_part(name)}/test"
        return self._transport.post(ConnectionTest, path)

    def delete(self, name: str, *, project: str | None = None, force: bool = False) -> None:
        """With `force` also while jobs that have not ended, or configurations, name it; those jobs then fail."""
        path = f"{of_project(project)}/connections/{path_part(name)}"
        self._transport.write("DELETE", forced(path, force))
