"""A job type with a parameter of every kind, for the tests of its form."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr

from jobdeck import JobType, step
from jobdeck.core.refs import FileText, ObjectRef
from jobdeck.core.tasks import Run


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: int
    corners: list[str] = []


class Tree(BaseModel):
    """Holds itself."""

    name: str
    left: Tree | None = None
    leaves: list[Tree] = []
    loose: Tree | int = 3


class Options(BaseModel):
    """An object that may be left out."""

    first: str | None = "x"
    second: int | None = None
    third: bool = True
    fourth: Literal["a", "b"] | None = "a"


class Rich(BaseModel):
    """One field of every kind."""

    text: str = Field(description="Any text.", max_length=2000)
    empty: str = "something"
    maybe: str | None = None
    nothing: str | None = Field("given", description="May be none.")
    needed_or_none: int | None
    count: int = Field(3, ge=0, le=10)
    share: float | None = None
    flag: bool
    on: bool = True
    tri: bool | None = None
    mode: Literal["append", "replace", 3, True] = "append"
    needed_mode: Literal["a", "b"]
    into: ObjectRef | None = None
    file: FileText | None = None
    files: list[FileText] = []
    at: datetime | None = None
    words: list[str] = ["one", "two"]
    numbers: list[int | None] = Field(default_factory=list)
    names: dict[str, str] = {}
    weights: dict[str, float | None] | None = None
    shape: Circle | Square | None = None
    shapes: list[Circle | Square | str] = []
    columns: list[str | Options] | dict[str, str | Options] | None = None
    options: Options = Options(third=False)
    made: Options = Field(default_factory=Options)
    tree: Tree | None = None
    secret: SecretStr | None = None
    anything: Any = None
    pair: tuple[int, str] = (1, "x")
    switch: int | str | bool | list[int] = 1


class RichType(JobType):
    """Take parameters of every kind and do nothing."""

    name: ClassVar[str] = "rich"
    category: ClassVar[str] = "forms"
    isolation = "thread"
    Params: type[BaseModel] = Rich

    @step
    def nothing(self, run: Run) -> None:
        """Nothing."""
