"""Find the job types: entry points of the group `jobdeck.job_types`, from this package and any other installed one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from jobdeck.core.jobtype import JobType
from jobdeck.core.registry import BrokenType, RegisteredType, TypeRegistry

GROUP = "jobdeck.job_types"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}", re.IGNORECASE)


def load_types(switches: Mapping[str, Any]) -> TypeRegistry:
    """All installed job types; `switches` are the settings that turn some of them on (`allow_commands`)."""
    types: dict[str, RegisteredType] = {}
    broken: list[BrokenType] = []
    # Our own first, so that nobody else can take one of their names.
    for point in sorted(entry_points(group=GROUP), key=lambda p: not p.value.startswith("jobdeck.jobs.")):
        try:
            loaded = _load(point, switches)
            if loaded.name in types:
                raise ValueError(f"the name '{loaded.name}' is taken by {types[loaded.name].implementation}")
            types[loaded.name] = loaded
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a failing type must not take the server down)
            broken.append(BrokenType(point.name, f"{type(error).__name__}: {error}"))
    return TypeRegistry(types.values(), broken)


def _load(point: EntryPoint, switches: Mapping[str, Any]) -> RegisteredType:
    job_type = point.load()
    if not (isinstance(job_type, type) and issubclass(job_type, JobType)):
        raise TypeError(f"{point.value} is not a JobType")
    if not _NAME.fullmatch(job_type.type_name()):
        raise ValueError(f"'{job_type.type_name()}' is no name for a job type: letters, digits, '_', '-' and '.'")
    enabled = job_type.enabled_by is None or bool(switches.get(job_type.enabled_by))
    found = RegisteredType(job_type.type_name(), point.value, job_type, enabled)
    found.params_schema()
    return found
