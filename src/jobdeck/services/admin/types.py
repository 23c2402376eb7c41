"""Job types: which there are, and what parameters they take."""

from __future__ import annotations

from jobdeck.access.caller import Caller, Permission
from jobdeck.core.errors import NotFound
from jobdeck.core.registry import BrokenType, RegisteredType
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.wire.admin import TypeInfo
from jobdeck.wire.base import Page


class Types(OfCore):
    """The use cases of job types."""

    def page(self, caller: Caller, cursor: str | None, limit: int) -> Page[TypeInfo]:
        """The types that can be run here and those that could not be loaded, by name."""
        start = str(cursors.decode(cursor, "types", str)[0]) if cursor else ""
        shown = [*self.runnable(caller), *self.broken(caller)]
        found = sorted((t for t in shown if t.name > start), key=lambda t: t.name)
        last = cursors.following("types", found, limit, lambda one: one.name)
        return Page[TypeInfo](items=found[:limit], next=last)

    def runnable(self, caller: Caller) -> list[TypeInfo]:
        """All types that can be run here, by name."""
        caller.require(Permission.TYPE_READ)
        return [_view(t) for t in self._core.registry if t.enabled]

    def broken(self, caller: Caller) -> list[TypeInfo]:
        """The types that could not be loaded, each with the reason."""
        caller.require(Permission.TYPE_READ)
        return [_broken(b) for b in self._core.registry.broken]

    def get(self, caller: Caller, name: str) -> TypeInfo:
        """One type; raises NotFound. One that is switched off is shown, and says so."""
        caller.require(Permission.TYPE_READ)
        found = self._core.registry.find(name)
        if found is None and (broken := self._core.registry.find_broken(name)):
            return _broken(broken)
        if found is None:
            raise NotFound(f"There is no job type '{name[:100]}'.", field="type", hint="GET /api/v1/types lists them.")
        return _view(found)


def _broken(found: BrokenType) -> TypeInfo:
    return TypeInfo(
        name=found.name,
        category="",
        description=f"It could not be loaded: {found.reason}",
        isolation="",
        enabled=False,
        broken=found.reason,
    )


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
