"""The filters of lists of jobs as they are asked for: a field for each parameter of core/filters/jobs.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)

from jobdeck.core.filters.jobs import PARAMETERS
from jobdeck.core.filters.rules import Kind, Parameter
from jobdeck.core.life.states import State
from jobdeck.wire.base import MAX_ID, AskedId, Instant, micros, storable
from jobdeck.wire.jobs import Priority

MAX_SEARCH = 1000
"""Characters of a search: people paste whole messages."""
MAX_VALUES = 100
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_LENGTH = re.compile(r"([0-9.]+)(ms|s|m|h|d|)")
_MICROS = {"ms": 1000, "": 1_000_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


def _split(value: Any) -> Any:
    """`a,b` and repeated parameters both mean several values; in a body, one value may stand without a list."""
    if isinstance(value, str | int):
        value = [value]
    if isinstance(value, list):
        return [part for item in value for part in (item.split(",") if isinstance(item, str) else [item]) if part != ""]
    return value


def moment(text: str | None, now: int) -> int | None:
    """µs of `text`: so long before `now`, or a time."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return now - int(span[1]) * _UNITS[span[2]] * 1_000_000
    try:
        return micros(_INSTANT.validate_python(text))
    except ValidationError as error:
        raise ValueError("write 30m, 12h, 3d, 2w, or a time like 2026-11-20T07:34:00Z") from error


def length(text: str | None) -> int | None:
    """µs of `90s`, `5m`, … as a field has checked it."""
    if text is None:
        return None
    number, unit = _LENGTH.fullmatch(text).groups()  # type: ignore[union-attr]  # the field's pattern allows no other
    return min(MAX_ID, round(Decimal(number) * _MICROS[unit]))


def _span_or_instant(value: str) -> str:
    if not _SPAN.fullmatch(value):
        moment(value, 0)
    return value


Word = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(storable)]
Words = Annotated[list[Word], BeforeValidator(_split), Field(max_length=MAX_VALUES)]
When = Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_span_or_instant)]
Length = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h|d)?$")]
"""A length of time; seconds where there is no unit."""
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=500)]
Search = Annotated[str, StringConstraints(max_length=MAX_SEARCH), AfterValidator(storable)]
_TYPES: Mapping[Kind, Any] = {
    "word": Word, "state": State, "priority": Priority, "number": AskedId, "run_id": RunId, "search": Search,
    "moment": When, "length": Length, "flag": bool,
}  # fmt: skip
_Model = TypeVar("_Model", bound=BaseModel)


def _field(parameter: Parameter) -> tuple[Any, Any]:
    """The type of a parameter and its default, as pydantic takes them."""
    one: Any = _TYPES[parameter.kind]
    if parameter.many:
        most = 10 if parameter.kind == "priority" else MAX_VALUES
        several: Any = Annotated[GenericAlias(list, one), BeforeValidator(_split), Field(max_length=most)]
        return several, Field(default=[], description=parameter.help)
    if parameter.kind == "flag":
        return bool, Field(default=False, description=parameter.help)
    return one | None, Field(default=None, description=parameter.help)


def _with_fields(model: type[_Model]) -> type[_Model]:
    """The model with a field for each parameter."""
    fields: dict[str, Any] = {parameter.name: _field(parameter) for parameter in PARAMETERS}
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, __module__=model.__module__, **fields)


@_with_fields
class JobConditions(BaseModel):
    """The filters of lists and counts. Several values of one filter mean any of them; several filters mean all."""

    model_config = ConfigDict(extra="forbid")

    if TYPE_CHECKING:

        def __init__(self, **given: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...
