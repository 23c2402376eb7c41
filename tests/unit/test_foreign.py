"""Which job types may be asked in the server: those that bring no code of their own, in no way that there is."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    DirectoryPath,
    Field,
    FilePath,
    ImportString,
    SecretStr,
    WrapValidator,
    field_validator,
    model_validator,
)

from jobdeck.core.hooks.foreign import accepts_here, is_plain, plans_here, splits_here
from jobdeck.core.jobtype import JobType, NoParams, declared_steps, step
from jobdeck.core.refs import FileText, ObjectRef
from jobdeck.jobs.command import Command
from jobdeck.jobs.import_ import Import
from jobdeck.jobs.noop import Noop
from jobdeck.jobs.sleep import Sleep


def _same(value: Any) -> Any:
    return value


class Nested(BaseModel):
    name: str = "x"
    children: list[Nested] = []


class Quiet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    files: list[FileText] = Field(min_length=1)
    into: ObjectRef | None = None
    secret: SecretStr = SecretStr("")
    path: Path = Path()
    nested: dict[str, Nested | int] = {}
    word: Annotated[str, Field(pattern="^a+$")] = "a"


class WithField(BaseModel):
    a: int = 1

    @field_validator("a")
    @classmethod
    def _look(cls, value: int) -> int:
        return value


class WithModel(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _look(cls, value: Any) -> Any:
        return value


class WithInit(BaseModel):
    def __init__(self, **values: Any) -> None:
        super().__init__(**values)


class WithPostInit(BaseModel):
    def model_post_init(self, context: Any) -> None:
        os.stat("/")


class WithFactory(BaseModel):
    a: list[int] = Field(default_factory=lambda: [1])


class WithPython(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    a: str = Field("", pattern="(a*)*b")


class WithPattern(BaseModel):
    a: Annotated[str, Field(pattern=re.compile("(a*)*b"))] = ""


class Deep(BaseModel):
    inner: list[dict[str, WithField | None]] = []


class Own(BaseModel):
    @classmethod
    def model_validate(cls, *args: Any, **kwargs: Any) -> Any:
        return super().model_validate(*args, **kwargs)


def _model(annotation: Any) -> type[BaseModel]:
    return type("Made", (BaseModel,), {"__annotations__": {"a": annotation}, "__module__": __name__})


FOREIGN = [
    WithField, WithModel, WithInit, WithPostInit, WithFactory, WithPython, WithPattern, Deep, Own,
    *map(_model, (
        Annotated[int, AfterValidator(_same)], Annotated[int, BeforeValidator(partial(_same))],
        Annotated[int, WrapValidator(lambda value, handler: handler(value))], Annotated[str, AfterValidator(os.stat)],
        FilePath, DirectoryPath, ImportString,
    )),
]  # fmt: skip


@pytest.mark.parametrize("model", [NoParams, Quiet, Nested, Sleep.Params, Import.Params, Command.Params])
def test_models_that_only_compute(model: type[BaseModel]) -> None:
    assert is_plain(model)


@pytest.mark.parametrize("model", FOREIGN)
def test_models_that_bring_code(model: type[BaseModel]) -> None:
    assert not is_plain(model)
    job_type = type("Has", (JobType,), {"Params": model, "__module__": __name__})
    assert not accepts_here(job_type)
    assert not plans_here(job_type)


@pytest.mark.parametrize(
    "hook",
    [
        "check", "claims", "writes", "reads", "subject", "description", "type_doc", "__init__", "__new__",
        "__getattribute__", "__getattr__", "params",
    ],
)  # fmt: skip
def test_a_hook_of_its_own_is_asked_elsewhere(hook: str) -> None:
    assert not accepts_here(type("Has", (JobType,), {hook: _same, "__module__": __name__}))
    mixin = type("Mixin", (), {hook: _same, "__module__": __name__})
    assert not accepts_here(type("Mixed", (mixin, JobType), {"__module__": __name__}))


def test_what_comes_with_jobdeck() -> None:
    assert accepts_here(Noop)
    assert accepts_here(Sleep)
    assert plans_here(Sleep)
    assert splits_here(Sleep, Sleep(Sleep.Params()).plan()[0])
    assert plans_here(Import)
    assert not accepts_here(Import), "it looks at files of the server"
    assert not accepts_here(Command), "it looks at programs of the server"


class Split(JobType):
    """Has a step that its own function splits."""

    @step(each=_same)
    def one(self, run: Any, part: int) -> None: ...

    @step(each="one")
    def two(self, run: Any, part: int) -> None: ...

    @step
    def three(self, run: Any) -> None: ...


def test_steps_alone_cost_nothing_and_functions_are_called_elsewhere() -> None:
    assert accepts_here(Split)
    assert plans_here(Split)
    assert [splits_here(Split, spec) for spec in declared_steps(Split)] == [False, True, True]
