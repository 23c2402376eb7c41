"""What a job type declares – attributes, steps, hooks – checked when it is loaded, before any job depends on it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from jobdeck.core.jobtype import JobType, StepSpec, declared_steps
from jobdeck.core.output.nearest import closest

MAX_CREDITS = 1_000_000.0
"""Credits for an hour or for 10⁹ bytes, at most."""
MAX_SECONDS = 366 * 86_400.0
"""The longest timeout, grace and backoff of a step."""
MAX_RETRIES = 1_000_000
MAX_PARALLEL = 100_000
MAX_WEIGHT = 1e9
MAX_TEXT = 100
ALIKE = 0.85
"""How like a name must be to one that means something, to be taken for a slip; people have names of their own."""
LEAST_NAME = 6
"""Letters of a name that may be a slip; shorter ones are too much like each other."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}", re.IGNORECASE)
_HOOKS: Mapping[str, int] = {
    "claims": 0, "writes": 0, "reads": 0, "subject": 0, "description": 0, "check": 1, "plan": 0, "preview": 1,
    "undo": 1,
}  # fmt: skip
"""The methods that a type may override, and how many arguments each is given."""
_MAY_BE_A_STEP = {"preview"}


class InvalidJobType(ValueError):
    """A job type declares something that cannot be used; the text names each place and what may stand there."""


def check_type(job_type: type[JobType], switches: Collection[str] = ()) -> None:
    """Look at all that `job_type` declares; `switches` are the settings that can turn types on.

    Raises InvalidJobType with every fault that was found."""
    faults = list(_faults(job_type, switches))
    if faults:
        raise InvalidJobType("; ".join(faults))


def _faults(job_type: type[JobType], switches: Collection[str]) -> Iterator[str]:
    yield from _faults_of_texts(job_type)
    yield from _faults_of_attributes(job_type, switches)
    yield from _faults_of_names(job_type)
    yield from _faults_of_class(job_type)
    yield from _faults_of_params(job_type)
    yield from _faults_of_hooks(job_type)
    yield from _faults_of_steps(job_type)
    yield from _faults_of_looking_again(job_type)


def _faults_of_texts(job_type: type[JobType]) -> Iterator[str]:
    name = _value(job_type, "name")
    shown = job_type.type_name() if isinstance(name, str) else name
    if not (isinstance(shown, str) and _NAME.fullmatch(shown)):
        yield f"{_shown(shown)} is no name for a job type: letters, digits, '_', '-' and '.', at most 100"
    category = _value(job_type, "category")
    if not (isinstance(category, str) and 0 < len(category) <= MAX_TEXT and category.isprintable()):
        yield f"category is {_shown(category)}; it must be text of 1 to {MAX_TEXT} printable characters"
    if not isinstance(job_type.__dict__.get("__doc__"), str | None):
        yield f"its docstring is {_shown(job_type.__dict__['__doc__'])}; it must be text"


def _faults_of_attributes(job_type: type[JobType], switches: Collection[str]) -> Iterator[str]:
    isolation = _value(job_type, "isolation")
    if isolation not in ("process", "thread"):
        yield f"isolation is {_shown(isolation)}; it must be 'process' or 'thread'"
    yield from _number(_value(job_type, "grace"), "grace", MAX_SECONDS)
    yield from _number(_value(job_type, "undo_timeout"), "undo_timeout", MAX_SECONDS, positive=True)
    yield from _number(_value(job_type, "credits_per_hour"), "credits_per_hour", MAX_CREDITS)
    yield from _number(_value(job_type, "credits_per_gb"), "credits_per_gb", MAX_CREDITS)
    parallel = _value(job_type, "parallel_per_token")
    if not isinstance(parallel, bool):
        yield f"parallel_per_token is {_shown(parallel)}; it must be True or False"
    empty = _value(job_type, "may_be_empty")
    if not isinstance(empty, bool):
        yield f"may_be_empty is {_shown(empty)}; it must be True or False"
    switch = _value(job_type, "enabled_by")
    if switch is not None and (not isinstance(switch, str) or (switches and switch not in switches)):
        known = ", ".join(sorted(switches))
        yield f"enabled_by is {_shown(switch)}; it must be None or a setting that turns types on: {known}"


def _faults_of_names(job_type: type[JobType]) -> Iterator[str]:
    """Attributes that nothing reads, and that are named almost as one that means something."""
    known = [name for name in vars(JobType) if not name.startswith("_") and len(name) >= LEAST_NAME]
    for base in job_type.__mro__:
        for name in () if base in JobType.__mro__ else vars(base):
            own = name.startswith("_") or hasattr(JobType, name) or _is_step(job_type, name)
            near = None if own or len(name) < LEAST_NAME else closest(name, known, ALIKE)
            if near is not None and name != f"{near}s":
                yield f"it has '{name}', which means nothing: did you mean '{near}'? Put '_' before it if not"


def _faults_of_looking_again(job_type: type[JobType]) -> Iterator[str]:
    again = _value(job_type, "looks_again")
    if again is None or job_type.plan is not JobType.plan:
        return
    spec = next((spec for spec in declared_steps(job_type) if spec.name == again), None)
    if spec is None or spec.each is not None:
        yield f"looks_again is {_shown(again)}; it must be None or the name of a step that is not split"


def _faults_of_class(job_type: type[JobType]) -> Iterator[str]:
    if inspect.isabstract(job_type):
        missing = ", ".join(sorted(getattr(job_type, "__abstractmethods__", ())))
        yield f"it is abstract: {missing} must be defined"
    if job_type.__init__ is not JobType.__init__ and not _takes(job_type.__init__, 2):
        yield "__init__ must take the parameters and nothing else that is needed"


def _faults_of_params(job_type: type[JobType]) -> Iterator[str]:
    params = _value(job_type, "Params")
    if not (isinstance(params, type) and issubclass(params, BaseModel)):
        yield f"Params is {_shown(params)}; it must be a class derived from pydantic's BaseModel"
        return
    try:
        json.dumps(params.model_json_schema(), allow_nan=False).encode()
    except Exception as error:  # noqa: BLE001  (a model of others may raise anything)
        yield f"Params has no JSON schema: {type(error).__name__}: {error}"


def _faults_of_hooks(job_type: type[JobType]) -> Iterator[str]:
    for name, arguments in _HOOKS.items():
        member = inspect.getattr_static(job_type, name)
        if member is inspect.getattr_static(JobType, name) or (name in _MAY_BE_A_STEP and _is_step(job_type, name)):
            continue
        if _is_step(job_type, name):
            yield f"a step cannot be called '{name}': Jobdeck calls the method of this name by itself"
            continue
        function = getattr(job_type, name)
        if not callable(function):
            yield f"{name} is {_shown(function)}; it must be a method"
        elif _is_async(function):
            yield f"{name} is async; Jobdeck calls it as a plain function"
        elif not _takes(function, _given(member, arguments)):
            yield f"{name} must take {_counted(arguments)} besides self"


def _faults_of_steps(job_type: type[JobType]) -> Iterator[str]:
    specs = declared_steps(job_type)
    own_plan = job_type.plan is not JobType.plan
    if not specs and not own_plan and job_type.may_be_empty is not True:
        yield "it has no step: mark at least one method with @step, or set may_be_empty = True if that is meant"
    earlier: list[str] = []
    for spec in specs:
        for fault in (
            *_faults_of_method(job_type, spec, own_plan),
            *_faults_of_spec(spec, None if own_plan else earlier),
        ):
            yield f"step '{spec.name}': {fault}"
        earlier.append(spec.name)


def _faults_of_method(job_type: type[JobType], spec: StepSpec, planned: bool) -> Iterator[str]:
    """Faults of the method behind a step; whether one that is `planned` by the type itself has parts is not known."""
    member = inspect.getattr_static(job_type, spec.method)
    if not inspect.isfunction(member):
        yield "@step marks plain methods only, not static, class or other ones"
    elif planned and not (_takes(member, 2) or _takes(member, 3)):
        yield "it must take (self, run) or (self, run, part)"
    elif planned:
        return
    elif spec.each is None and not _takes(member, 2):
        yield "it must take (self, run)"
    elif spec.each is not None and not _takes(member, 3):
        yield "it has each=…, so it must take (self, run, part)"


def _faults_of_spec(spec: StepSpec, earlier: Collection[str] | None) -> Iterator[str]:
    """Faults of the arguments of `@step`; `earlier` are the steps before it, where they are known."""
    yield from _number(spec.timeout, "timeout", MAX_SECONDS, optional=True, positive=True)
    yield from _number(spec.weight, "weight", MAX_WEIGHT, positive=True)
    yield from _number(spec.retry.backoff, "backoff", MAX_SECONDS)
    if not (_is_int(spec.retry.attempts) and 1 <= spec.retry.attempts <= MAX_RETRIES + 1):
        yield f"retries must be a whole number from 0 to {MAX_RETRIES}"
    if spec.parallel is not None and not (_is_int(spec.parallel) and 1 <= spec.parallel <= MAX_PARALLEL):
        yield f"parallel is {_shown(spec.parallel)}; it must be None or a whole number from 1 to {MAX_PARALLEL}"
    if isinstance(spec.each, str):
        if earlier is not None and spec.each not in earlier:
            yield f"each names '{spec.each}', and no step before it is called so"
        return
    each: Any = spec.each
    if each is not None and (not callable(each) or _is_async(each) or not _takes(each, 1)):
        yield "each must be the name of an earlier step or a function of the parameters"


def _number(value: object, name: str, most: float, *, optional: bool = False, positive: bool = False) -> Iterator[str]:
    if optional and value is None:
        return
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    if not good or (positive and value == 0):
        least = "more than 0" if positive else "0 or more"
        yield f"{name} is {_shown(value)}; it must be a number, {least} and at most {most:.0f}"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_step(job_type: type[JobType], name: str) -> bool:
    return any(spec.method == name for spec in declared_steps(job_type))


def _is_async(function: Any) -> bool:
    inner: Any = inspect.unwrap(function) if callable(function) else function
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def _given(member: object, arguments: int) -> int:
    """With `self`, unless the class hands it on already bound or as it is."""
    return arguments if isinstance(member, staticmethod | classmethod) else arguments + 1


def _takes(function: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(function).bind(*([None] * arguments))
    except TypeError:
        return False
    except ValueError:
        return True  # written in C, without a signature
    return True


def _counted(arguments: int) -> str:
    return {0: "no argument", 1: "one argument"}.get(arguments, f"{arguments} arguments")


def _value(job_type: type[JobType], name: str) -> Any:
    return inspect.getattr_static(job_type, name)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (other people's objects may not even be shown)
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
