"""Whatever hooks answer becomes a value of ours, or an error that names the type and the hook."""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import Any

import pytest

from jobdeck.core.claims import Claim, Mode
from jobdeck.core.environment import Environment
from jobdeck.core.errors import JobdeckError
from jobdeck.core.hooks.answers import (
    MAX_PART,
    BadAnswer,
    PartsTooLarge,
    TooManyTasks,
    accepted,
    checked_plan,
    parts_of,
    parts_of_result,
)
from jobdeck.core.jobtype import JobType, NoParams, StepSpec, step
from jobdeck.core.retry import RetryPolicy


class Answering(JobType):
    """Answers what a test wants."""

    name = "answering"
    answer: Any = None

    @step
    def work(self, run: Any) -> None: ...


def answering(hook: str, answer: Any) -> JobType:
    def say(_self: Any) -> Any:
        return answer

    made: type[Answering] = type("Made", (Answering,), {hook: say})
    return made(NoParams())


def ask(hook: str, answer: Any) -> Any:
    return accepted(answering(hook, answer), Environment(), None)


class Odd(Claim):
    """A claim of somebody's own."""


def with_mode(mode: Any) -> Claim:
    """A claim with a mode that no constructor lets through."""
    claim = Claim("a")
    object.__setattr__(claim, "mode", mode)
    return claim


@pytest.mark.parametrize("mode", ["both", None, 1, ""])
def test_a_mode_that_there_is_not_makes_no_claim(mode: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid Mode"):
        Claim("a", mode=mode)


@pytest.mark.parametrize("answer", [
    None, 5, "all", b"all", {"a": 1}, ["a"], [None], [("a", 1)], [Claim("")], [Claim("a\0b")], [Claim("\ud800")],
    [Claim("x" * 3000)], [Claim(5)], [Claim(None)], [Claim("a", 0)], [Claim("a", -1)], [Claim("a", 1.0)],  # type: ignore[arg-type]
    [Claim("a", True)], [Claim("a", "2")], [Claim("a", None)], [Claim("a", math.nan)], [Claim("a", 10**30)],  # type: ignore[arg-type]
    [with_mode("both")], [with_mode(None)], [Claim("a")] * 1001, itertools.repeat(Claim("a")),
])  # fmt: skip
def test_claims_that_are_none(answer: Any) -> None:
    with pytest.raises(BadAnswer) as wrong:
        ask("claims", answer)
    assert "'answering'" in wrong.value.message
    assert "claims()" in wrong.value.message


def test_claims_in_any_shape_that_means_some() -> None:
    claims = (Claim("a", 2), Claim("b", mode="exclusive"))  # type: ignore[arg-type]
    for answer in (list(claims), claims, iter(claims), deque(claims), (claim for claim in claims)):
        said = ask("claims", answer)
        assert said.claims == (Claim("a", 2), Claim.exclusive("b"))
        assert said.claims[1].mode is Mode.EXCLUSIVE


@pytest.mark.parametrize("hook", ["subject", "description"])
@pytest.mark.parametrize("answer", [5, b"text", ["a"], {"a": 1}, object(), True, 1.5, "x" * 100_000])
def test_texts_that_are_none(hook: str, answer: Any) -> None:
    with pytest.raises(BadAnswer) as wrong:
        ask(hook, answer)
    assert "'answering'" in wrong.value.message
    assert f"{hook}()" in wrong.value.message


def test_texts_of_any_kind() -> None:
    assert ask("subject", None).subject is None
    assert ask("subject", "").subject is None
    assert ask("subject", "a\0b\ud800").subject == "a␀b?"
    assert len(ask("description", "x" * 60_000).description) == 500
    with pytest.raises(BadAnswer):
        ask("description", None)


def spec(name: Any = "a", method: Any = "work", **more: Any) -> StepSpec:
    return StepSpec(name, method, **more)


@pytest.mark.parametrize("plan", [
    None, 5, "work", {"work": 1}, ["work"], [None], [spec(""), ], [spec("a\0")], [spec("\ud800")], [spec("x" * 201)],
    [spec(5)], [spec(None)], [spec(), spec()], [spec(method="gone")], [spec(method=None)], [spec(method="isolation")],
    [spec(each="later"), spec("later")], [spec(each="a")], [spec(each=5)], [spec(each=["a"])], [spec(timeout="5")],
    [spec(timeout=math.nan)], [spec(timeout=0)], [spec(timeout=-1)], [spec(weight=None)], [spec(weight=-1)],
    [spec(weight=math.inf)], [spec(parallel=0)], [spec(parallel=-1)], [spec(parallel=1.5)], [spec(parallel="2")],
    [spec(retry=None)], [spec(retry=RetryPolicy(0))], [spec(retry=RetryPolicy(backoff=math.nan))],
    [spec(retry=RetryPolicy("3"))], itertools.repeat(spec()), [spec(str(n)) for n in range(10_001)],  # type: ignore[arg-type]
])  # fmt: skip
def test_plans_that_are_none(plan: Any) -> None:
    with pytest.raises(BadAnswer) as wrong:
        checked_plan(Answering, plan)
    assert "'answering'" in wrong.value.message
    assert "plan()" in wrong.value.message


def test_plans_in_any_shape() -> None:
    plan = [spec("a"), spec("b/ü", each="a", timeout=1, weight=0, parallel=3), spec("c", each=lambda _: [])]
    assert checked_plan(Answering, plan) == checked_plan(Answering, iter(plan)) == plan


def parts(answer: Any) -> list[str]:
    return parts_of("answering", spec(each=lambda _: answer), NoParams())


@pytest.mark.parametrize("answer", [None, 5, "abc", b"abc", {"a": 1}, [object()], [1, {1, object()}], [math.nan]])
def test_parts_that_are_none(answer: Any) -> None:
    with pytest.raises(JobdeckError) as wrong:
        parts(answer)
    assert wrong.value.code in ("bad_answer", "invalid_input")
    assert "step 'a'" in wrong.value.message


def test_parts_in_any_shape() -> None:
    assert parts(range(2)) == parts(iter([0, 1])) == parts((0, 1)) == ["0", "1"]
    assert parts(n for n in (None, "ü", 10**40)) == ["null", '"ü"', str(10**40)]
    assert parts([]) == []


def test_parts_are_bounded() -> None:
    assert len(parts(["x" * (MAX_PART - 2)])[0]) == MAX_PART
    with pytest.raises(PartsTooLarge, match="Part 1 of step 'a'"):
        parts(["", "x" * (MAX_PART - 1)])
    with pytest.raises(PartsTooLarge, match="together"):
        parts("x" * 1_000_000 for _ in itertools.count())
    with pytest.raises(TooManyTasks):
        parts(itertools.count())
    assert len(parts(range(10_000))) == 10_000
    with pytest.raises(TooManyTasks):
        parts(range(10_001))


@pytest.mark.parametrize("result", [5, "abc", {"a": 1}, True])
def test_a_step_is_split_by_a_list_only(result: Any) -> None:
    with pytest.raises(BadAnswer, match="'first'"):
        parts_of_result(spec(each="first"), result)


def test_a_step_is_split_by_the_result_of_another() -> None:
    assert parts_of_result(spec(each="first"), [1, None]) == ["1", "null"]
    assert parts_of_result(spec(each="first"), None) == []
    with pytest.raises(PartsTooLarge):
        parts_of_result(spec(each="first"), ["x" * 1_000_000] * 17)
