"""Everything around the jobs: projects, tokens, workers, types, configurations, connections."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource, forced, of_project
from jobdeck.client.http.transport import parsed, path_part
from jobdeck.wire.admin import (
    Configuration,
    ConfigurationRequest,
    Connection,
    ConnectionChange,
    ConnectionRequest,
    ConnectionTest,
    NewToken,
    Project,
    ProjectChange,
    ProjectRequest,
    Role,
    Session,
    Token,
    TokenRequest,
    TypeInfo,
    Worker,
)
from jobdeck.wire.base import Page


class ProjectsResource(Resource):
    """`client.projects`."""

    def list(self) -> builtins.list[Project]:
        return builtins.list(self._every(Page[Project], "/projects"))

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


class SessionsResource(Resource):
    """`client.sessions`: the browsers that are logged in as the token's principal."""

    def list(self) -> builtins.list[Session]:
        return builtins.list(self._every(Page[Session], "/me/sessions"))

    def end(self, id: str) -> None:
        self._transport.write("DELETE", f"/me/sessions/{path_part(id)}")

    def end_all(self) -> None:
        """Log out everywhere; tokens stay good."""
        self._transport.write("DELETE", "/me/sessions")


class TokensResource(Resource):
    """`client.tokens`."""

    def list(self) -> builtins.list[Token]:
        return builtins.list(self._every(Page[Token], "/tokens"))

    def create(
        self,
        name: str,
        role: Role,
        *,
        project: str | None = None,
        whose: str | None = None,
        expires_in_days: int | None = None,
    ) -> NewToken:
        """A token of `role` in `project`, or in all; its secret is in `.token`, now and never again.

        It is for a new principal called `name`, unless `whose` names one that is to have one more token."""
        given = {"name": name, "role": role, "project": project, "for": whose, "expires_in_days": expires_in_days}
        body = request(TokenRequest, **given)
        return self._transport.post(NewToken, "/tokens", body)

    def revoke(self, id: int) -> None:
        self._transport.write("DELETE", f"/tokens/{path_part(id)}")


class WorkersResource(Resource):
    """`client.workers`: named by id, name, or a beginning of one of them that no other worker has."""

    def list(self) -> builtins.list[Worker]:
        return builtins.list(self._every(Page[Worker], "/workers"))

    def drain(self, id: str) -> Worker:
        """Let it finish what it has and take nothing more."""
        return self._transport.post(Worker, f"/workers/{path_part(id)}/drain")

    def undrain(self, id: str) -> Worker:
        """Let a drained one take jobs again."""
        return self._transport.post(Worker, f"/workers/{path_part(id)}/undrain")

    def get(self, id: str) -> Worker:
        return self._transport.get(Worker, f"/workers/{path_part(id)}")


class TypesResource(Resource):
    """`client.types`: the job types that can be run."""

    def list(self) -> builtins.list[TypeInfo]:
        return builtins.list(self._every(Page[TypeInfo], "/types"))

    def get(self, name: str) -> TypeInfo:
        return self._transport.get(TypeInfo, f"/types/{path_part(name)}")


class ConfigurationsResource(Resource):
    """`client.configurations`: saved, versioned parameters."""

    def list(self, *, project: str | None = None) -> builtins.list[Configuration]:
        return builtins.list(self._every(Page[Configuration], f"{of_project(project)}/configurations"))

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


class ConnectionsResource(Resource):
    """`client.connections`."""

    def list(self, *, project: str | None = None) -> builtins.list[Connection]:
        return builtins.list(self._every(Page[Connection], f"{of_project(project)}/connections"))

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
