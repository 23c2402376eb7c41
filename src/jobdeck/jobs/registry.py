"""Find the job types: entry points of the group `jobdeck.job_types`, from this package and any other installed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from jobdeck.core.jobtype import JobType
from jobdeck.core.registry import BrokenType, RegisteredType, TypeRegistry
from jobdeck.jobs.declared import InvalidJobType, check_type
from jobdeck.jobs.trial import try_imports

GROUP = "jobdeck.job_types"
_OURS = "jobdeck.jobs."


def load_types(switches: Mapping[str, Any]) -> TypeRegistry:
    """All installed job types; `switches` are the settings that turn some of them on (`allow_commands`)."""
    types: dict[str, RegisteredType] = {}
    broken: dict[str, BrokenType] = {}
    # Our own first, so that nobody else can take one of their names.
    points = sorted(entry_points(group=GROUP), key=lambda p: not p.value.startswith(_OURS))
    fatal = _fatal_imports(points)
    for point in points:
        try:
            if point.value in fatal:
                raise InvalidJobType(fatal[point.value])
            loaded = _load(point, switches)
            if loaded.name in types:
                raise InvalidJobType(f"the name '{loaded.name}' is taken by {types[loaded.name].implementation}")
            types[loaded.name] = loaded
        except BaseException as error:  # noqa: BLE001  (whatever a failing type raises, it must not take the server down)
            broken[point.name] = BrokenType(point.name, _reason(point, error))
    return TypeRegistry(types.values(), broken.values())


def _fatal_imports(points: Sequence[EntryPoint]) -> Mapping[str, str]:
    """Imports of others' modules that would end or hold up the process that imports them, each with what happened."""
    foreign = sorted({point.value for point in points if not point.value.startswith(_OURS)})
    return try_imports(foreign) if foreign else {}


def _reason(point: EntryPoint, error: BaseException) -> str:
    what = str(error) if isinstance(error, InvalidJobType) else f"{type(error).__name__}: {error}"
    return f"{what} ({point.value})"


def _load(point: EntryPoint, switches: Mapping[str, Any]) -> RegisteredType:
    job_type = point.load()
    if not (isinstance(job_type, type) and issubclass(job_type, JobType)):
        raise InvalidJobType("it is not a JobType")
    check_type(job_type, switches.keys())
    enabled = job_type.enabled_by is None or bool(switches.get(job_type.enabled_by))
    found = RegisteredType(job_type.type_name(), point.value, job_type, enabled)
    found.params_schema()
    return found
