"""Saved, versioned parameters."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource, of_project
from jobdeck.client.http.transport import parsed, path_part
from jobdeck.wire.admin import Configuration, ConfigurationRequest
from jobdeck.wire.base import Page


class ConfigurationsResource(Resource):
    """`client.configurations`: saved, versioned parameters."""

    def list(self, *, project: str | None = None) -> builtins.list[Configuration]:
        return self._all(Page[Configuration], f"{of_project(project)}/configurations")

    def create(
        self, name: str, type: str, params: Mapping[str, Any] | None = None, *, project: str | None = None
    ) -> Configuration:
        body = request(ConfigurationRequest, name=name, type=type, params=dict(params or {}))
        return self._transport.post(Configuration, f"{of_project(project)}/configurations", body)

    def get(self, id: int, *, project: str | None = None) -> Configuration:
        return self._transport.get(Configuration, f"{of_project(project)}/configurations/{path_part(id)}")

    def change(
        self,
        id: int,
        *,
        name: str | None = None,
        params: Mapping[str, Any] | None = None,
        project: str | None = None,
    ) -> Configuration:
        """Save its next version, with another name or other parameters (all of them); what is not given stays."""
        now = self.get(id, project=project)
        wanted = now.params if params is None else dict(params)
        body = request(ConfigurationRequest, name=now.name if name is None else name, type=now.type, params=wanted)
        path = f"{of_project(project)}/configurations/{path_part(id)}"
        return parsed(Configuration, self._transport.write("PUT", path, body))

    def delete(self, id: int, *, project: str | None = None) -> None:
        """Only one that no job ran."""
        self._transport.write("DELETE", f"{of_project(project)}/configurations/{path_part(id)}")
