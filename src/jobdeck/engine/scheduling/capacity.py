"""The capacity of resources: limits that were set, else the defaults of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_PROJECT_LIMIT = 10


class Capacities:
    """Answers what the limit of a resource is; None is without bound."""

    def __init__(self, project_limit: int | None = DEFAULT_PROJECT_LIMIT) -> None:
        self._project_limit = project_limit
        self._set: Mapping[str, int] = {}

    def of(self, resource: str) -> int | None:
        capacity = self._set.get(resource)
        if capacity is not None:
            return capacity
        if resource.startswith("project:") and "/" not in resource:
            return self._project_limit
        return None

    def replace(self, limits: Mapping[str, int]) -> set[str]:
        """Take over the limits as they are set now; the resources whose limit changed."""
        before, self._set = self._set, limits
        return {r for r in before.keys() | limits.keys() if before.get(r) != limits.get(r)}
