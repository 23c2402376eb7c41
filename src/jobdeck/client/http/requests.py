"""Makes requests out of what a caller gave; what cannot be sent is said before it is sent."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from jobdeck.client.errors import explain
from jobdeck.core.errors import InvalidInput
from jobdeck.wire.base import Request

Q = TypeVar("Q", bound=Request)


def request(kind: type[Q], /, **values: Any) -> Q:
    """A request of `kind` with those `values` that are not None; raises InvalidInput naming the field."""
    try:
        return kind.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        field, message = explain(error)
        raise InvalidInput(f"{field}: {message}." if field else message, field=field) from error
