"""All that a job type declares is looked at when it is loaded; what cannot be used is refused by name."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from jobdeck.core.claims import Claim, Mode, merge
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.registry import RegisteredType
from jobdeck.jobs.command import Command
from jobdeck.jobs.declared import InvalidJobType, check_type
from jobdeck.jobs.import_ import Import
from jobdeck.jobs.noop import Noop
from jobdeck.jobs.sleep import Sleep
from tests.engine.scripted import TYPES
from tests.engine.strange import Large, Strange


def work(self: Any, run: Any) -> None: ...


def made(**attributes: Any) -> type[JobType]:
    """A sound type, but for what is given."""
    return type("Made", (JobType,), {"work": step(work), **attributes})


def refusal(job_type: type[JobType]) -> str:
    with pytest.raises(InvalidJobType) as refused:
        check_type(job_type, ["allow_commands"])
    return str(refused.value)


@pytest.mark.parametrize("job_type", [Command, Import, Noop, Sleep, Strange, Large, *TYPES])
def test_sound_types_are_taken(job_type: type[JobType]) -> None:
    check_type(job_type, ["allow_commands"])


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("no")


ODD_NUMBERS = [
    None, "3", "", True, math.nan, math.inf, -math.inf, -1, 10**400, 1e300, [1], b"1", 1j, Unshown(),
]  # fmt: skip


@pytest.mark.parametrize("value", ODD_NUMBERS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("name", ["grace", "credits_per_hour", "credits_per_gb"])
def test_numbers_that_are_none(name: str, value: object) -> None:
    text = refusal(made(**{name: value}))
    assert f"{name} is " in text
    assert "must be a number" in text


def _one(self: Any) -> None: ...


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("isolation", "threads"), ("isolation", "Thread"), ("isolation", None), ("isolation", 1),
        ("category", 5), ("category", ""), ("category", None), ("category", "a\0b"), ("category", "x" * 101),
        ("category", property(len)), ("name", 7), ("name", "a/b"), ("name", "ä"), ("name", "x" * 101),
        ("name", " a"), ("parallel_per_token", "yes"), ("parallel_per_token", 1), ("enabled_by", "allow_comands"),
        ("enabled_by", 3), ("may_be_empty", 1), ("Params", dict), ("Params", None), ("Params", 5),
        ("claims", []), ("undo", None), ("check", "yes"), ("subject", "x"), ("description", 5), ("plan", []),
        ("writes", ["lake/a/b"]), ("reads", None), ("preview", 3), ("__init__", _one),
        ("undo", _one), ("check", _one), ("claims", work),
    ],
)  # fmt: skip
def test_attributes_that_cannot_be_used(name: str, value: object) -> None:
    assert name.strip("_") in refusal(made(**{name: value}))


async def _never(self: Any, *arguments: Any) -> None: ...


@pytest.mark.parametrize(
    "hook", ["claims", "writes", "reads", "subject", "description", "check", "plan", "undo", "preview"]
)
def test_hooks_are_plain_functions(hook: str) -> None:
    assert f"{hook} is async" in refusal(made(**{hook: _never}))


@pytest.mark.parametrize("hook", ["claims", "check", "plan", "undo", "subject"])
def test_no_step_is_called_like_a_hook(hook: str) -> None:
    def method(self: Any, run: Any) -> None: ...

    method.__name__ = hook
    assert f"cannot be called '{hook}'" in refusal(made(**{hook: step(method)}))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        *[({"timeout": value}, "timeout is ") for value in ("5", 0, -1, math.nan, math.inf, True, 1e300, [5])],
        *[({"weight": value}, "weight is ") for value in ("5", 0, -1, math.nan, math.inf, None, True)],
        *[({"backoff": value}, "backoff is ") for value in ("5", -1, math.nan, math.inf, None, True)],
        *[({"retries": value}, "retries must be") for value in ("5", -1, 1.5, math.nan, None, True, 10**9)],
        *[({"parallel": value}, "parallel is ") for value in ("5", 0, -1, 1.0, math.nan, True, 10**9)],
        *[({"each": value}, "each ") for value in ("later", "work", "", 5, ["a"], work, _never)],
    ],
)
def test_arguments_of_a_step(arguments: dict[str, Any], fault: str) -> None:
    def work(self: Any, run: Any, part: Any = None) -> None: ...

    def later(self: Any, run: Any) -> None: ...

    text = refusal(made(work=step(**arguments)(work), later=step(later)))
    assert f"step 'work': {fault}" in text


def two(self: Any, run: Any) -> None: ...


def three(self: Any, run: Any, part: Any) -> None: ...


def run_only(run: Any) -> None: ...


@pytest.mark.parametrize(
    ("method", "each"),
    [
        (run_only, None), (three, None), (two, list),
        (staticmethod(run_only), None), (classmethod(work), None),
    ],
)  # fmt: skip
def test_methods_of_steps(method: Callable[..., Any], each: Any) -> None:
    inner = getattr(method, "__func__", method)
    marked = step(each=each)(inner)
    member = type(method)(marked) if isinstance(method, staticmethod | classmethod) else marked
    assert "step '" in refusal(made(other=member))


def test_a_type_without_a_step() -> None:
    class Forgotten(JobType):
        def work(self, run: object) -> None: ...

    assert "it has no step" in refusal(Forgotten)


def test_an_abstract_type() -> None:
    from abc import ABC

    class Half(JobType, ABC):
        @step
        def work(self, run: object) -> None: ...

        @abstractmethod
        def more(self) -> None: ...

    assert "it is abstract: more must be defined" in refusal(Half)


def test_a_model_without_a_schema() -> None:
    class Params(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: Unshown

    assert "Params has no JSON schema" in refusal(made(Params=Params))


def test_every_fault_is_named_at_once() -> None:
    text = refusal(made(isolation="threads", grace=None, category=5))
    assert all(f"{name} is " in text for name in ("isolation", "grace", "category"))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(dict)


@given(st.sampled_from(["name", "category", "isolation", "grace", "credits_per_hour", "enabled_by", "Params"]), scalars)
def test_whatever_is_declared_it_is_taken_or_refused_by_name(name: str, value: object) -> None:
    job_type = made(**{name: value})
    try:
        check_type(job_type)
    except InvalidJobType:
        return
    assert isinstance(job_type.type_name(), str)
    assert job_type.isolation in ("process", "thread")
    assert math.isfinite(job_type.credits_per_hour + job_type.grace)


def test_what_a_base_class_says_is_not_what_a_type_says() -> None:
    assert made().type_doc() == "made"
    assert made(__doc__="\n    Do it.\n    More.\n    ").type_doc() == "Do it."


def test_a_mode_may_be_written_as_text() -> None:
    claim = Claim("db", mode="exclusive")  # type: ignore[arg-type]
    assert claim.mode is Mode.EXCLUSIVE
    assert claim.to_json() == ["db", 1, "x"]
    assert merge([claim]) == [Claim.exclusive("db")]
    with pytest.raises(ValueError, match="exlusive"):
        Claim("db", mode="exlusive")  # type: ignore[arg-type]


class Plain(BaseModel):
    x: int = 1


class Nested(BaseModel):
    inner: Plain = Plain()


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Holder(BaseModel):
    open: Open = Open()


@pytest.mark.parametrize(
    ("model", "params", "taken"),
    [
        (Plain, {"x": 2}, True), (Plain, {"y": 2}, False), (Nested, {"inner": {"y": 1}}, False),
        (Open, {"y": 1}, True), (Holder, {"open": {"y": 1}}, True),
    ],
)  # fmt: skip
def test_unknown_parameters(model: type[BaseModel], params: dict[str, Any], taken: bool) -> None:
    registered = RegisteredType("made", "m:Made", made(Params=model))
    if taken:
        registered.read_params(params)
    else:
        with pytest.raises(ValidationError, match="Extra inputs"):
            registered.read_params(params)
