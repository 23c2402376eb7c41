"""The job types that this installation knows; filled by wiring, handed to the engine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from jobdeck.core.errors import BrokenJobType, JobTypeDisabled, UnknownJobType
from jobdeck.core.jobtype import JobType
from jobdeck.core.output.nearest import nearest


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

    def read_params(self, params: Mapping[str, Any]) -> Any:
        """`params` as the type's model. One that the model does not know is refused, unless the model says what becomes
        of such ones. Raises pydantic's ValidationError."""
        return read_params(self.job_type, params)


_SCHEMAS: WeakKeyDictionary[type[BaseModel], str] = WeakKeyDictionary()


def read_params(job_type: type[JobType], params: Mapping[str, Any]) -> Any:
    """As `RegisteredType.read_params`, where only the class is known."""
    return job_type.Params.model_validate(dict(params), extra=_of_unknown(job_type.Params))


@lru_cache(maxsize=1000)
def _of_unknown(params: type[BaseModel]) -> Literal["forbid"] | None:
    """What becomes of parameters that the model does not name; None leaves it to the models, some of which say it."""
    nested = params.model_json_schema().get("$defs", {}).values()
    says = "extra" in params.model_config or any("additionalProperties" in model for model in nested)
    return None if says else "forbid"


@dataclass(frozen=True, slots=True)
class BrokenType:
    """A job type that could not be loaded, by the name of its entry point; reported, never fatal."""

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
        if found is None and (broken := self.find_broken(name)):
            raise BrokenJobType(
                f"The job type '{name}' could not be loaded: {broken.reason}",
                field="type",
                hint="Mend it where it is installed, then start Jobdeck again.",
            )
        if found is None:
            hint = nearest(name, self._types).strip() or f"There are: {', '.join(sorted(self._types))}."
            raise UnknownJobType(f"There is no job type '{name[:100]}'.", field="type", hint=hint)
        if not found.enabled:
            setting = found.job_type.enabled_by
            raise JobTypeDisabled(
                f"Jobs of type '{name}' are off in this installation.",
                field="type",
                hint=f"An administrator turns them on: the setting {setting} = true on every server and worker.",
            )
        return found

    def find_broken(self, name: str) -> BrokenType | None:
        """The type called so that could not be loaded."""
        return next((broken for broken in self.broken if broken.name == name and name not in self._types), None)

    def find(self, name: str) -> RegisteredType | None:
        return self._types.get(name)

    def __iter__(self) -> Iterator[RegisteredType]:
        return iter(sorted(self._types.values(), key=lambda t: t.name))

    def enabled_names(self) -> list[str]:
        return [t.name for t in self if t.enabled]
