"""Which code of a job type is not this package's, so that it may not run in the server: it could wait for ever.

Pure: looks at classes, calls nothing of theirs."""

from __future__ import annotations

import abc
import functools
import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from jobdeck.core.jobtype import JobType, StepSpec

_MAKING = ("__init__", "__new__", "__getattribute__", "__getattr__", "params")
_SAYING = ("claims", "writes", "reads", "subject", "description", "type_doc", "type_name")
_PURE_PACKAGES = ("pydantic", "pydantic_core", "annotated_types")
_LOOKS_OUTSIDE = ("PathType.", "ImportString.", "import_string", "_import_string")
"""Validators of pydantic that ask the file system, or import what they are given."""
_NOT_CALLED = frozenset({"default", "metadata", "serialization", "expected", "cls_name"})
"""Parts of a schema that hold no code which runs while a value is validated."""
_MANY = 1000
"""Answers that are kept: classes do not change, and each job asks."""


def _accepts_here(job_type: type[JobType]) -> bool:
    ours = all(_is_ours(job_type, name) for name in (*_MAKING, *_SAYING))
    return ours and _definer(job_type, "check") is JobType and _is_plain_class(job_type)


accepts_here: Callable[[Any], bool] = functools.lru_cache(_MANY)(_accepts_here)
"""Whether all that a submission calls is this package's own and only computes. A `check` looks at the world."""


def _plans_here(job_type: type[JobType]) -> bool:
    return all(_is_ours(job_type, name) for name in (*_MAKING, "plan")) and _is_plain_class(job_type)


plans_here: Callable[[Any], bool] = functools.lru_cache(_MANY)(_plans_here)
"""Whether planning its steps runs this package's own code only."""


def splits_here(job_type: type[JobType], spec: StepSpec) -> bool:
    """Whether splitting this step into tasks does."""
    return plans_here(job_type) and (not callable(spec.each) or _is_own_function(spec.each))


@functools.lru_cache(_MANY)
def is_plain(model: Any) -> bool:
    """Whether validating values of `model` runs no code but pydantic's and this package's."""
    return isinstance(model, type) and issubclass(model, BaseModel) and _has_plain_schema(model)


def _is_plain_class(job_type: type[JobType]) -> bool:
    return type(job_type) in (type, abc.ABCMeta) and is_plain(job_type.Params)


def _definer(job_type: type[JobType], name: str) -> type:
    return next((base for base in job_type.__mro__ if name in vars(base)), object)


def _is_ours(job_type: type[JobType], name: str) -> bool:
    definer = _definer(job_type, name)
    return definer is object or _in(definer.__module__, ("jobdeck",))


def _in(module: object, packages: tuple[str, ...]) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in packages


def _is_own_function(function: Any) -> bool:
    return _in(getattr(_bare(function), "__module__", None), ("jobdeck",))


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__func__", function)


def _has_plain_schema(model: type[BaseModel]) -> bool:
    methods = (getattr(model, name) for name in ("model_validate", "model_validate_json", "__init__"))
    if not all(_in(_bare(method).__module__, _PURE_PACKAGES) for method in methods):
        return False
    try:
        model.model_rebuild()
        return _is_plain_part(model.__pydantic_core_schema__, set())
    except Exception:  # noqa: BLE001  (what cannot be understood is not trusted)
        return False


def _is_plain_part(part: Any, seen: set[int]) -> bool:
    if id(part) in seen:
        return True
    seen.add(id(part))
    if isinstance(part, dict):
        return _calls_nothing(part) and all(
            _is_plain_part(value, seen) for key, value in part.items() if key not in _NOT_CALLED
        )
    if isinstance(part, list | tuple):
        return all(_is_plain_part(item, seen) for item in part)
    if isinstance(part, re.Pattern):  # is matched by Python, which may take for ever
        return False
    return isinstance(part, type) or not callable(part) or _is_pure(part)


def _calls_nothing(part: dict[Any, Any]) -> bool:
    """Of code that a schema names otherwise than by a function of its own."""
    if part.get("custom_init") or part.get("regex_engine") == "python-re":
        return False
    of, after = part.get("cls"), part.get("post_init")
    if after and not _is_pure(getattr(of, after if isinstance(after, str) else "__post_init__", None)):
        return False
    called = part.get("function")
    return not isinstance(called, type) or _is_pure(called)


def _is_pure(function: Any) -> bool:
    bare = _bare(function)
    if not _in(getattr(bare, "__module__", None), (*_PURE_PACKAGES, "jobdeck")):
        return False
    return not str(getattr(bare, "__qualname__", "")).startswith(_LOOKS_OUTSIDE)
