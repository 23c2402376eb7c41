"""How deep values that people send may be nested; deeper ones would exhaust the stack of whatever handles them."""

from __future__ import annotations

from typing import Any

from jobdeck.core.errors import InvalidInput

MAX_DEPTH = 64


def check_depth(value: Any, field: str) -> None:
    """Raises InvalidInput when `value` is nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise InvalidInput(f"{field} is nested more than {MAX_DEPTH} levels deep.", field=field)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
