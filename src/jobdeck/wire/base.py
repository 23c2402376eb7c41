"""What all requests and responses have in common: instants, bounded text, pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_ID = 2**63 - 1
MAX_NAME = 200
_DIGITS = re.compile(r"-?[0-9]{1,20}")


class Request(BaseModel):
    """Something a client sends. A field that is not known is an error."""

    model_config = ConfigDict(extra="forbid")


class Response(BaseModel):
    """Something the server answers. Fields that are not known are kept as they came."""

    model_config = ConfigDict(extra="allow", defer_build=True)


def instant(micros: int) -> datetime:
    """The time `micros` µs after 1970 UTC; exact."""
    return EPOCH + timedelta(microseconds=micros)


def instant_or_none(micros: int | None) -> datetime | None:
    """As `instant`; None of None."""
    return None if micros is None else instant(micros)


def micros(at: datetime) -> int:
    """`at`, which must be timezone-aware, in µs since 1970 UTC; exact."""
    return (at - EPOCH) // timedelta(microseconds=1)


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error


def storable(text: str) -> str:
    """`text`, where it holds no NUL, which databases refuse."""
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored")
    return text


def _plain(value: Any) -> Any:
    """A text that is a number has its digits only: neither those of other scripts, nor `1_000`, ` 7`, `+7`, `7.0`."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("write a whole number with the digits 0 to 9")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A time with its zone; in JSON RFC 3339 in UTC, `2026-11-20T07:34:00.123456Z`."""

Digits = Annotated[int, BeforeValidator(_plain)]
"""A whole number in an address, a header or a form."""

AskedId = Annotated[Digits, Field(ge=1, le=MAX_ID)]
"""An id in an address."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
"""An id that a client names."""

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_NAME, strip_whitespace=True), AfterValidator(storable)
]
"""A name that a client gives."""

Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(storable)]
"""A sentence or two that a client gives."""


class Page(Response, Generic[T]):
    """A part of a list; `next` is the cursor of the following part, None after the last."""

    items: list[T]
    next: str | None = None
