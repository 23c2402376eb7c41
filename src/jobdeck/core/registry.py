"""The job types that this installation knows; filled by wiring, handed to the engine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from jobdeck.core.errors import JobTypeDisabled, UnknownJobType
from jobdeck.core.jobtype import JobType


@dataclass(frozen=True, slots=True)
class RegisteredType:
    """One job type. `implementation` is `module:Class`, what a task's process imports."""

    name: str
    implementation: str
    job_type: type[JobType]
    enabled: bool = True

    def params_schema(self) -> dict[str, Any]:
        """Made once, when the type is loaded: a model may bring code of its own, which must not run in requests."""
        model = self.job_type.Params
        if model not in _SCHEMAS:
            _SCHEMAS[model] = json.dumps(model.model_json_schema())
        schema: dict[str, Any] = json.loads(_SCHEMAS[model])
        return schema


_SCHEMAS: WeakKeyDictionary[type[BaseModel], str] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class BrokenType:
    """An entry point that could not be loaded; reported, never fatal."""

    name: str
    reason: str


class TypeRegistry:
    """Job types by name."""

    def __init__(self, types: Iterable[RegisteredType], broken: Iterable[BrokenType] = ()) -> None:
        self._types: Mapping[str, RegisteredType] = {t.name: t for t in types}
        self.broken = tuple(broken)

    def get(self, name: str) -> RegisteredType:
        """The type called `name`; raises UnknownJobType or JobTypeDisabled."""
        found = self._types.get(name)
        if found is None:
            near = get_close_matches(name, self._types, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(sorted(self._types))}."
            raise UnknownJobType(f"There is no job type '{name[:100]}'.", field="type", hint=hint)
        if not found.enabled:
            setting = found.job_type.enabled_by
            raise JobTypeDisabled(
                f"Jobs of type '{name}' are off in this installation.",
                field="type",
                hint=f"Set {setting} = true to turn them on.",
            )
        return found

    def find(self, name: str) -> RegisteredType | None:
        return self._types.get(name)

    def __iter__(self) -> Iterator[RegisteredType]:
        return iter(sorted(self._types.values(), key=lambda t: t.name))

    def enabled_names(self) -> list[str]:
        return [t.name for t in self if t.enabled]
