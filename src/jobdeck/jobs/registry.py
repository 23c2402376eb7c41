"""Find the job types: entry points of the group `jobdeck.job_types`, from this package and any other installed one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from jobdeck.core.jobtype import JobType
from jobdeck.core.registry import BrokenType, RegisteredType, TypeRegistry

GROUP = "jobdeck.job_types"


def load_types(switches: Mapping[str, Any]) -> TypeRegistry:
    """All installed job types; `switches` are the settings that turn some of them on (`allow_commands`)."""
    types: list[RegisteredType] = []
    broken: list[BrokenType] = []
    for point in entry_points(group=GROUP):
        try:
            types.append(_load(point, switches))
        except Exception as error:  # noqa: BLE001  (a failing third-party type must not take the server down)
            broken.append(BrokenType(point.name, f"{type(error).__name__}: {error}"))
    return TypeRegistry(types, broken)


def _load(point: EntryPoint, switches: Mapping[str, Any]) -> RegisteredType:
    job_type = point.load()
    if not (isinstance(job_type, type) and issubclass(job_type, JobType)):
        raise TypeError(f"{point.value} is not a JobType")
    job_type.Params.model_json_schema()
    enabled = job_type.enabled_by is None or bool(switches.get(job_type.enabled_by))
    return RegisteredType(job_type.type_name(), point.value, job_type, enabled)
