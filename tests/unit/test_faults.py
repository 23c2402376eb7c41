"""A value that fits no alternative is told of once, at the place where it was written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from jobdeck.core.output.complaints import told
from jobdeck.core.output.faults import joined, place_of


class Wish(BaseModel):
    name: str


class Params(BaseModel):
    columns: list[str | Wish] | dict[str, str | Wish] = []
    at: int | list[int] = 0
    none: int = 0  # a field may be called as an alternative is


@pytest.mark.parametrize(
    ("params", "faults"),
    [
        ({"columns": "id"}, {("columns",): "it must be a list or an object with names and values"}),
        ({"at": "x"}, {("at",): "it must be a whole number or a list"}),
        ({"at": [1, "x"]}, {("at",): "it must be a whole number", ("at", 1): "it must be a whole number"}),
        ({"none": "x"}, {("none",): "it must be a whole number"}),
    ],
)
def test_a_fault_is_told_where_it_was_written(params: dict[str, Any], faults: dict[tuple[int | str, ...], str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Params.model_validate(params)
    reasons: dict[tuple[int | str, ...], list[str]] = {}
    for fault in refused.value.errors():
        reasons.setdefault(place_of(fault["loc"], params), []).append(told(fault["msg"]))
    assert {place: joined(messages) for place, messages in reasons.items()} == faults


def test_messages_of_another_form_stay_as_they_are() -> None:
    assert joined(["no such column", "it must be text"]) == "no such column; or it must be text"
    assert joined(["it must be text", "it must be text"]) == "it must be text"


def test_a_field_that_is_missing_keeps_its_name() -> None:
    assert place_of(("columns", "list[union[str,Wish]]", 0, "Wish", "name"), {"columns": [{}]}) == (
        "columns",
        0,
        "name",
    )
    assert place_of(("into",), {}) == ("into",)
