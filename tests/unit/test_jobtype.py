"""Declaring job types: steps in the order they are written, inherited, split, typed."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from jobdeck.core.claims import Claim
from jobdeck.core.errors import JobTypeDisabled, UnknownJobType
from jobdeck.core.jobtype import JobType, declared_steps, part_type, repeated, result_type, step
from jobdeck.core.refs import ObjectRef
from jobdeck.core.registry import BrokenType, RegisteredType, TypeRegistry


class Part(BaseModel):
    file: str


class Load(JobType):
    """Load files.

    More about it."""

    @step
    def zebra(self, run: object) -> list[Part]:
        return []

    @step(each="zebra", retries=3, backoff=2.0, timeout=9.0, weight=5.0, parallel=2)
    def ant(self, run: object, part: Part) -> int:
        return 0

    def not_a_step(self) -> None: ...

    @step
    def bee(self, run: object, part): ...  # type: ignore[no-untyped-def]


class LoadMore(Load):
    name = "load-more"

    @step(weight=2.0)
    def ant(self, run: object, part: Part) -> int:
        return 1

    @step
    def last(self, run: object) -> None: ...

    def undo(self, run: object) -> None: ...

    def writes(self) -> list[ObjectRef]:
        return [ObjectRef("lake", ("b", "t"))]

    def reads(self) -> list[str]:
        return ["lake/b/s"]


def test_steps_come_in_the_order_they_are_written() -> None:
    assert [s.name for s in declared_steps(Load)] == ["zebra", "ant", "bee"]


def test_a_subclass_keeps_the_place_of_what_it_overrides_and_adds_at_the_end() -> None:
    specs = declared_steps(LoadMore)
    assert [s.name for s in specs] == ["zebra", "ant", "bee", "last"]
    assert (specs[1].weight, specs[1].each, specs[1].retry.attempts) == (2.0, None, 1)


def test_an_override_without_mark_stays_the_step_it_was() -> None:
    class Plain(Load):
        def ant(self, run: object, part: Part) -> int:
            return 2

    assert declared_steps(Plain) == declared_steps(Load)


def test_what_a_step_says_of_itself() -> None:
    zebra, ant, _ = declared_steps(Load)
    assert (zebra.each, zebra.timeout, zebra.weight, zebra.parallel, zebra.retry.attempts) == (None, None, 1.0, None, 1)
    assert (ant.each, ant.timeout, ant.weight, ant.parallel) == ("zebra", 9.0, 5.0, 2)
    assert (ant.retry.attempts, ant.retry.backoff) == (4, 2.0)


def test_repeated_steps_share_their_method() -> None:
    several = repeated(declared_steps(Load)[0], ["a", "b"])
    assert [(s.name, s.method) for s in several] == [("a", "zebra"), ("b", "zebra")]


def test_types_of_parts_and_results() -> None:
    assert part_type(Load, "ant") is Part
    assert part_type(Load, "zebra") is None
    assert str(part_type(Load, "bee")) == "typing.Any"
    assert result_type(Load, "zebra") == list[Part]
    assert str(result_type(Load, "bee")) == "typing.Any"


def test_names_texts_and_undo() -> None:
    assert (Load.type_name(), LoadMore.type_name()) == ("load", "load-more")
    assert Load.type_doc() == "Load files."
    assert (Load.has_undo(), LoadMore.has_undo()) == (False, True)


def test_claims_follow_what_it_reads_and_writes() -> None:
    job = LoadMore(None)
    assert job.claims() == [Claim.exclusive("object:lake/b/t"), Claim("object:lake/b/s")]
    assert job.subject() == "lake/b/t"
    assert (Load(None).claims(), Load(None).subject()) == ([], None)


def test_the_registry_helps_who_mistypes() -> None:
    registry = TypeRegistry(
        [RegisteredType("load", "m:Load", Load), RegisteredType("command", "m:C", Load, enabled=False)],
        [BrokenType("ray", "no module")],
    )
    assert registry.get("load").job_type is Load
    with pytest.raises(UnknownJobType) as unknown:
        registry.get("laod")
    assert "'load'" in (unknown.value.hint or "")
    with pytest.raises(JobTypeDisabled):
        registry.get("command")
    assert registry.enabled_names() == ["load"]
    assert [t.name for t in registry] == ["command", "load"]
