"""The client's filters, which stand as a type for type checkers, are those that are defined."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_type_hints

from jobdeck.client.jobs import Filters, Many
from jobdeck.core.filters.jobs import PARAMETERS
from jobdeck.core.filters.rules import Kind, Parameter

TYPES: dict[Kind, Any] = {
    "number": int | None, "flag": bool | None, "moment": str | datetime | None, "word": str | None,
    "run_id": str | None, "search": str | None, "length": str | None,
}  # fmt: skip


def type_of(parameter: Parameter) -> Any:
    if parameter.many:
        return int | Sequence[int] | None if parameter.kind == "priority" else Many
    return TYPES[parameter.kind]


def test_each_filter_is_an_argument_of_its_type() -> None:
    assert get_type_hints(Filters) == {**{p.name: type_of(p) for p in PARAMETERS}, "sort": str | None}
