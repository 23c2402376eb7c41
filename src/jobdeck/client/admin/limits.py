"""Limits of resources, in a project or of all together."""

from __future__ import annotations

import builtins

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource, of_project
from jobdeck.client.http.transport import parsed, path_part
from jobdeck.wire.admin import Limit, LimitRequest
from jobdeck.wire.base import Page


class LimitsResource(Resource):
    """`client.limits`: capacities of resources, and what is held of them; in a project, or with `instance` in all."""

    def list(self, *, project: str | None = None, instance: bool = False) -> builtins.list[Limit]:
        """Every resource that has a limit or is held now."""
        return self._all(Page[Limit], _limits(project, instance))

    def set(
        self,
        resource: str,
        capacity: int,
        *,
        project: str | None = None,
        instance: bool = False,
        as_written: bool = False,
    ) -> Limit:
        """`resource` as claims name it: `project`, `type:import`, `object:lake/b/t`, …; with `instance`, `instance`
        or a `type:…`. A name that nothing goes by so far and that looks like a slip is taken only if `as_written`."""
        body = request(LimitRequest, capacity=capacity, as_written=as_written or None)
        path = f"{_limits(project, instance)}/{path_part(resource)}"
        return parsed(Limit, self._transport.write("PUT", path, body))

    def clear(self, resource: str, *, project: str | None = None, instance: bool = False) -> None:
        self._transport.write("DELETE", f"{_limits(project, instance)}/{path_part(resource)}")


def _limits(project: str | None, instance: bool) -> str:
    return "/limits" if instance else f"{of_project(project)}/limits"
