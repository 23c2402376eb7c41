"""Job types: a class whose steps are its methods. The whole ceremony of writing one is `JobType` and `@step`."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, TypeVar, overload
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict

from jobdeck.core.claims import Claim
from jobdeck.core.environment import Environment
from jobdeck.core.output.nearest import nearest
from jobdeck.core.preview import Preview
from jobdeck.core.retry import RetryPolicy

Isolation = Literal["process", "thread"]
Each = str | Callable[[Any], Sequence[Any]] | None
M = TypeVar("M", bound=Callable[..., Any])

_MARK = "__jobdeck_step__"


class NoParams(BaseModel):
    """The parameters of a job type that takes none."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step of a job: which method runs, how it splits into tasks, and how it is tried again."""

    name: str
    method: str
    each: Each = None
    """None: one task. A step's name: one task per item of its result. A function of the parameters: one per item."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float | None = None
    """Seconds one run of a task may take."""
    weight: float = 1.0
    """This step's part of the job's progress."""
    parallel: int | None = None
    """Tasks of this step that run at the same time, at most; None leaves it to the worker."""


_OF_STEPS = ("each", "retries", "backoff", "timeout", "weight", "parallel")


@overload
def step(method: M) -> M: ...


@overload
def step(
    *,
    each: Each = None,
    retries: int = 0,
    backoff: float = 1.0,
    timeout: float | None = None,
    weight: float = 1.0,
    parallel: int | None = None,
) -> Callable[[M], M]: ...


def step(
    method: M | None = None,
    *,
    each: Each = None,
    retries: int = 0,
    backoff: float = 1.0,
    timeout: float | None = None,
    weight: float = 1.0,
    parallel: int | None = None,
    **unknown: Any,
) -> Any:
    """Mark a method as a step; steps run in the order they are written.

    `retries`: tries after the first failure, the first of them `backoff` seconds later. `timeout`: seconds per task."""
    for name in unknown:
        hint = nearest(name, _OF_STEPS).strip() or f"It takes {', '.join(_OF_STEPS)}."
        raise TypeError(f"@step takes no '{name}'. {hint}")

    def mark(function: M) -> M:
        # A wrong value is kept as it is: the type is refused by name when it is loaded (jobs.declared).
        policy = RetryPolicy(attempts=retries + 1 if type(retries) is int else retries, backoff=backoff)
        name = function.__name__
        setattr(function, _MARK, StepSpec(name, name, each, policy, timeout, weight, parallel))
        return function

    return mark(method) if method is not None else mark


class JobType:
    """Base of all job types. Class attributes say what it is; methods marked `@step` say what it does."""

    name: ClassVar[str] = ""
    """The type's name in the API; the class name in lower case when left empty."""
    category: ClassVar[str] = "data"
    isolation: ClassVar[Isolation] = "process"
    """`thread` only for code that is light and returns quickly: a thread cannot be killed."""
    grace: ClassVar[float] = 10.0
    """Seconds between the polite request to stop and the kill, on cancel."""
    undo_timeout: ClassVar[float] = 300.0
    """Seconds that `undo` may take before it is killed; the setting `undo_seconds` bounds it."""
    credits_per_hour: ClassVar[float] = 1.0
    """Credits for each hour that a job runs; waiting and being paused cost nothing."""
    credits_per_gb: ClassVar[float] = 0.0
    """Credits for each 10⁹ bytes that it moves: what it read or what it wrote, whichever is more."""
    parallel_per_token: ClassVar[bool] = False
    """Whether jobs of one configuration may run at the same time when different access tokens submitted them; those of
    the same token, and all jobs of other types, run one after the other."""
    may_be_empty: ClassVar[bool] = False
    """Whether a job of it may have no step at all, and succeed by that. Where it is not meant, that is an error."""
    enabled_by: ClassVar[str | None] = None
    """The setting that must be true for this type to be on offer."""
    looks_again: ClassVar[str | None] = None
    """The step that runs once more when a person resumes a job: it finds out what is to be done, and that may have
    changed. `run.result` of its own name is then what it returned before. A task of a step that is split by its result
    keeps what it did, if its part is the same and in the same place; all others begin anew."""

    Params: type[BaseModel] = NoParams

    def __init__(self, params: Any) -> None:
        self.params = params

    # What a type may say about its parameters; pure, called at submit, in a process that is killed when it takes long.

    def claims(self) -> Iterable[Claim]:
        """Claims besides the implicit ones, by local names (`object:lake/b/t`). Default: by `reads` and `writes`."""
        return [
            *(Claim.exclusive(f"object:{ref}") for ref in self.writes()),
            *(Claim(f"object:{ref}") for ref in self.reads()),
        ]

    def writes(self) -> Iterable[object]:
        """References of the objects it writes."""
        return ()

    def reads(self) -> Iterable[object]:
        """References of the objects it reads."""
        return ()

    def subject(self) -> str | None:
        """What it works on, in one short text; default: the first object it writes or reads."""
        for ref in (*self.writes(), *self.reads()):
            return str(ref)
        return None

    def description(self) -> str:
        """One line for lists."""
        return self.type_doc()

    def check(self, environment: Environment) -> None:
        """Look, before the job is accepted, whether it can work; raise InvalidInput naming the field."""

    def plan(self) -> list[StepSpec]:
        """The steps of a job with these parameters; default: the methods marked `@step`, in order."""
        return declared_steps(type(self))

    # What a type may do around its steps; in the task's process.

    def preview(self, run: Any) -> Preview | None:  # noqa: ARG002  (what a type makes of it)
        """For a dry run: what a job with these parameters would do, found by looking and changing nothing.

        Has `run.environment`, and half a minute. What it raises is shown as the reason why the job would fail."""
        return None

    @classmethod
    def has_preview(cls) -> bool:
        """Whether it can be asked; a step that happens to be called so is none."""
        return cls.preview is not JobType.preview and not hasattr(cls.preview, _MARK)

    def undo(self, run: Any) -> None:
        """Remove what was half made and not published; after cancel, and before a restart. Safe to repeat."""

    @classmethod
    def has_undo(cls) -> bool:
        return cls.undo is not JobType.undo

    @classmethod
    def type_name(cls) -> str:
        return cls.name or cls.__name__.lower()

    @classmethod
    def type_doc(cls) -> str:
        """The first line of the class's own docstring, or its name; what a base class says is about that one."""
        text = cls.__dict__.get("__doc__")
        return (inspect.cleandoc(text) if text else "").partition("\n")[0] or cls.type_name()


_HOUR = 3600
_GB = 1_000_000_000


def credits_of(running_seconds: float, moved: int, *, per_hour: float, per_gb: float) -> float:
    """Credits of a job that ran for so long and moved so many bytes, by the rates of its type."""
    return running_seconds / _HOUR * per_hour + moved / _GB * per_gb


def declared_steps(job_type: type[JobType]) -> list[StepSpec]:
    """The methods of `job_type` marked `@step`, in the order they are written (base classes first)."""
    known = _DECLARED.get(job_type)
    if known is None:
        known = _DECLARED[job_type] = _read_steps(job_type)
    return list(known)


_DECLARED: WeakKeyDictionary[type[JobType], tuple[StepSpec, ...]] = WeakKeyDictionary()
"""Reading a class costs more than running a short job."""


def _read_steps(job_type: type[JobType]) -> tuple[StepSpec, ...]:
    specs: dict[str, StepSpec] = {}
    for base in reversed(job_type.__mro__):
        for name, member in vars(base).items():
            spec = getattr(getattr(member, "__func__", member), _MARK, None)  # also of a static or class method
            if isinstance(spec, StepSpec):
                # By the name under which the class has it: that of the function may be a wrapper's.
                specs[name] = replace(spec, name=name, method=name)
    return tuple(specs.values())


def repeated(spec: StepSpec, names: Iterable[str]) -> list[StepSpec]:
    """The same method as several steps, one per name; for types whose number of steps is a parameter."""
    return [replace(spec, name=name) for name in names]


def part_type(job_type: type[JobType], method: str) -> Any:
    """The declared type of the `part` argument of a step's method, or None when it takes none or says nothing."""
    parameters, hints = _signature(getattr(job_type, method))
    return hints.get(parameters[2], Any) if len(parameters) > 2 else None


def result_type(job_type: type[JobType], method: str) -> Any:
    """The declared return type of a step's method, or Any."""
    return _signature(getattr(job_type, method))[1].get("return", Any)


@lru_cache(maxsize=1000)
def _signature(function: Any) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Its parameters and what they are declared to be; asked for each task, and dear."""
    return tuple(inspect.signature(function).parameters), typing.get_type_hints(function)
