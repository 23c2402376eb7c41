"""Why parameters were refused, in words for those who wrote them and not for those who wrote the check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.core.output import complaints
from jobdeck.core.output.nearest import nearest

_UNKNOWN = "Extra inputs are not permitted"


def worded(message: str, location: Sequence[int | str], schema: Mapping[str, Any], given: object = None) -> str:
    """One fault's message; of a parameter that there is not, with the one that was meant."""
    if message == _UNKNOWN and location and isinstance(location[-1], str):
        return f"There is no such parameter. {nearest(location[-1], _known(location, schema))}".strip()
    return complaints.told(message, given)


def _known(location: Sequence[int | str], schema: Mapping[str, Any]) -> list[str]:
    """The names that there are at the place: the parameters, or deeper those of any group."""
    if len(location) == 1:
        return list(schema.get("properties", {}))
    return [name for group in schema.get("$defs", {}).values() for name in group.get("properties", {})]
