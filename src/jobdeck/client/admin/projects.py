"""Projects, and their part of the workers."""

from __future__ import annotations

import builtins

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource
from jobdeck.client.http.transport import parsed, path_part
from jobdeck.wire.admin import Project, ProjectChange, ProjectRequest
from jobdeck.wire.base import Page


class ProjectsResource(Resource):
    """`client.projects`."""

    def list(self) -> builtins.list[Project]:
        return self._all(Page[Project], "/projects")

    def get(self, name: str) -> Project:
        return self._transport.get(Project, f"/projects/{path_part(name)}")

    def create(self, name: str, *, title: str | None = None, weight: float | None = None) -> Project:
        """`weight`: its part of the workers, relative to the other projects' (default 1)."""
        return self._transport.post(
            Project, "/projects", request(ProjectRequest, name=name, title=title, weight=weight)
        )

    def change(self, name: str, *, title: str | None = None, weight: float | None = None) -> Project:
        """The project with another title or weight; what is not given stays."""
        body = request(ProjectChange, title=title, weight=weight)
        return parsed(Project, self._transport.write("PATCH", f"/projects/{path_part(name)}", body))
