"""Job types: which there are, and what parameters they take."""

from __future__ import annotations

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.errors import NotFound
from jobdeck.core.registry import RegisteredType
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.wire.admin import TypeInfo
from jobdeck.wire.base import Page


class Types:
    """The use cases of job types."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def page(self, caller: Caller, cursor: str | None, limit: int) -> Page[TypeInfo]:
        """The types that can be run here, by name."""
        caller.require(Permission.TYPE_READ)
        start = str(cursors.decode(cursor, "types", str)[0]) if cursor else ""
        found = [t for t in self._core.registry if t.enabled and t.name > start]
        last = cursors.encode("types", found[limit - 1].name) if len(found) > limit else None
        return Page[TypeInfo](items=[_view(t) for t in found[:limit]], next=last)

    def get(self, caller: Caller, name: str) -> TypeInfo:
        """One type; raises NotFound. One that is switched off is shown, and says so."""
        caller.require(Permission.TYPE_READ)
        found = self._core.registry.find(name)
        if found is None:
            raise NotFound(f"There is no job type '{name[:100]}'.", field="type", hint="GET /api/v1/types lists them.")
        return _view(found)


def _view(found: RegisteredType) -> TypeInfo:
    job_type = found.job_type
    return TypeInfo(
        name=found.name,
        category=job_type.category,
        description=job_type.type_doc(),
        params_schema=found.params_schema(),
        isolation=job_type.isolation,
        enabled=found.enabled,
    )
