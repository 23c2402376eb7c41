"""Why parameters do not fit their job type, in words for who sent them: every field at fault, in one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.core.errors import InvalidInput
from jobdeck.core.hooks.refusals import worded
from jobdeck.core.output.faults import joined, place_of
from jobdeck.core.registry import RegisteredType


class InvalidParams(InvalidInput, code="invalid_params"):
    """Parameters that do not fit the job type; `facts['errors']` lists each field with what is wrong."""


def refused_params(registered: RegisteredType, params: Mapping[str, Any], faults: Sequence[Any]) -> InvalidParams:
    """The error for `faults`, as pydantic tells them of `params`: every field with its reason."""
    schema = registered.params_schema()
    reasons: dict[str, list[str]] = {}
    for fault in faults:
        field = _path(place_of(fault["loc"], params))
        reasons.setdefault(field, []).append(worded(fault["msg"], fault["loc"], schema, fault.get("input")))
    errors = [{"field": field, "message": joined(messages)} for field, messages in reasons.items()]
    first = errors[0]
    last = tuple(faults[0]["loc"])[-1:]
    dotted = last[0] if last and isinstance(last[0], str) and "." in last[0].strip(".") else None
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    return InvalidParams(
        f"{first['field']}: {first['message']}{more}",
        field=first["field"],
        hint=_nested_hint(dotted) if dotted else f"GET /api/v1/types/{registered.name} shows the parameters.",
        errors=errors,
    )


def _nested_hint(name: str) -> str:
    """How a parameter within a group is written, for those who wrote it with dots."""
    inner = "…"
    for part in reversed(name.split(".")):
        inner = f'{{"{part}": {inner}}}'
    return f"In JSON, a value in a group is written {inner}."


def _path(location: tuple[int | str, ...]) -> str:
    """`params.files[0]` from a location in the model."""
    return "params" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
