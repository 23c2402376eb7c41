"""How deep values that people send may be nested; deeper ones would exhaust the stack of whatever handles them."""

from __future__ import annotations

from typing import Any

from jobdeck.core.errors import InvalidInput
from jobdeck.core.values import MAX_DEPTH, is_too_deep


def check_depth(value: Any, field: str) -> None:
    """Raises InvalidInput when `value` is nested deeper than MAX_DEPTH."""
    if is_too_deep(value):
        raise InvalidInput(f"{field} is nested more than {MAX_DEPTH} levels deep.", field=field)
