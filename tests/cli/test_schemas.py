"""What is typed as `name=value` becomes what the type's schema wants."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from jobdeck.cli.arguments.params import assembled, pairs
from jobdeck.cli.arguments.schemas import Schema
from jobdeck.cli.exits import UsageError
from jobdeck.jobs.import_models import ImportParams


class Inner(BaseModel):
    text: str = ""
    number: float = 0
    deep: Inner | None = None


class Outer(BaseModel):
    s: str = ""
    maybe: str | None = None
    word: Literal["7", "true"] = "7"
    either: int | str = 0
    flag: bool = False
    whole: int = 0
    inner: Inner | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    inners: dict[str, Inner] = Field(default_factory=dict)
    free: Any = None
    dotted: int = Field(0, alias="a.b")


def made(*texts: str, model: type[BaseModel] = Outer) -> dict[str, Any]:
    return assembled(pairs(texts), Schema(model.model_json_schema()))


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("s=7", {"s": "7"}),
        ("s=1e5", {"s": "1e5"}),
        ("s=true", {"s": "true"}),
        ("s=null", {"s": "null"}),
        ("s=[1]", {"s": "[1]"}),
        ('s={"a": 1}', {"s": '{"a": 1}'}),
        ('s="7"', {"s": "7"}),
        ("s=007", {"s": "007"}),
        ("s=", {"s": ""}),
        ("s=a=b", {"s": "a=b"}),
        ("maybe=7", {"maybe": "7"}),
        ("maybe=null", {"maybe": None}),
        ("word=7", {"word": "7"}),
        ("word=true", {"word": "true"}),
        ("either=7", {"either": 7}),
        ("either=x", {"either": "x"}),
        ("flag=true", {"flag": True}),
        ("whole=7", {"whole": 7}),
        ("whole=1e3", {"whole": 1000.0}),
        ("inner.text=7", {"inner": {"text": "7"}}),
        ("inner.number=7", {"inner": {"number": 7}}),
        ("inner.deep.text=1.50", {"inner": {"deep": {"text": "1.50"}}}),
        ("labels.x=7", {"labels": {"x": "7"}}),
        ("labels.x.y=7", {"labels": {"x.y": "7"}}),
        ("inners.a.text=7", {"inners": {"a": {"text": "7"}}}),
        ("inners.a.b.text=7", {"inners": {"a.b": {"text": "7"}}}),
        ("free=7", {"free": 7}),
        ("free.x.y=7", {"free": {"x": {"y": 7}}}),
        ("a.b=7", {"a.b": 7}),
        ("unknown=7", {"unknown": 7}),
        ("unknown.part=7", {"unknown": {"part": 7}}),
    ],
)
def test_values_are_what_the_schema_says(typed: str, value: dict[str, Any]) -> None:
    assert made(typed) == value


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("csv.encoding=windows-1252", {"csv": {"encoding": "windows-1252"}}),
        ("csv.quote=null", {"csv": {"quote": None}}),
        ("csv.delimiter=7", {"csv": {"delimiter": "7"}}),
        ("csv.header=false", {"csv": {"header": False}}),
        ("columns.n=int64", {"columns": {"n": "int64"}}),
        ("columns.a.b=int64", {"columns": {"a.b": "int64"}}),
        ("columns.a.b.type=int64", {"columns": {"a.b": {"type": "int64"}}}),
        ("columns.n.from=7", {"columns": {"n": {"from": "7"}}}),
        ('columns=["n"]', {"columns": ["n"]}),
        ("into=7", {"into": "7"}),
    ],
)
def test_parameters_of_an_import(typed: str, value: dict[str, Any]) -> None:
    assert made(typed, model=ImportParams) == value


def test_groups_are_merged_and_what_differs_is_refused() -> None:
    assert made('inner={"text": "a"}', "inner.number=1") == {"inner": {"text": "a", "number": 1}}
    assert made("s=7", "s=7") == {"s": "7"}
    for twice in (("s=7", "s=8"), ("inner.number=1", "inner.number=true"), ("inner=null", "inner.text=a")):
        with pytest.raises(UsageError, match="given twice"):
            made(*twice)


def test_a_document_is_put_under() -> None:
    base = {"inner": {"text": "a", "number": 1}, "s": "x"}
    found = assembled(pairs(["inner.number=2"]), Schema(Outer.model_json_schema()), base=base)
    assert found == {"inner": {"text": "a", "number": 2}, "s": "x"}
    assert base["inner"] == {"text": "a", "number": 1}


@pytest.mark.parametrize("typed", ["", "=1", "x", ".=1", "a..b=1", ".a=1", "a.=1"])
def test_what_is_no_parameter_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="not a parameter"):
        pairs([typed])
