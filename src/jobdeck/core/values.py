"""Plain values that cross process and database borders, and their documented bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from jobdeck.core.errors import InvalidInput, TooLarge

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_PARAMS = 256 * 1024
MAX_RESULT = 1024 * 1024
MAX_EVENT = 16 * 1024
MAX_MESSAGE = 8 * 1024
MAX_DEPTH = 64
"""Levels of lists and objects in a value; deeper ones would exhaust the stack of whatever reads them."""
MAX_TAGS = 20
MAX_TAG = 100
MAX_COUNT = 9 * 10**14
"""The largest number of units, rows or bytes that one task reports; the sum over all tasks of a step fits a database's
integer."""


def encode(value: object) -> str:
    """Compact JSON. Integers of any size survive; NaN and infinity are refused."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` put over `under`, groups of values value by value."""
    found = dict(under)
    for name, value in over.items():
        there = found.get(name)
        found[name] = merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return found


def flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Groups of values as names with dots, without `options.`, which may be left out in writing, too."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        whole = name if above in ("", "options.") else f"{above}{name}"
        found += flat(value, f"{whole}.") if isinstance(value, dict) else [(whole, value)]
    return found


def is_too_deep(value: object, levels: int = MAX_DEPTH) -> bool:
    """Whether `value` is nested more than `levels` levels deep."""
    level = [value]
    for _ in range(levels):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def check_depth(value: object, field: str) -> None:
    """Raises InvalidInput when `value` is nested deeper than MAX_DEPTH."""
    if is_too_deep(value):
        raise InvalidInput(f"{field} is nested more than {MAX_DEPTH} levels deep.", field=field)


def bounded(value: Json, limit: int, field: str) -> Json:
    """`value` if it is valid Unicode, not too deep, and its JSON has at most `limit` bytes.

    Raises InvalidInput or TooLarge."""
    bounded_text(value, limit, field)
    return value


def bounded_text(value: Json, limit: int, field: str) -> str:
    """The JSON of `value`, on the same conditions."""
    check_depth(value, field)
    try:
        text = encode(value)
        size = len(text.encode())
    except (UnicodeEncodeError, ValueError) as error:
        raise InvalidInput(f"{field} cannot be stored as JSON: {error}.", field=field) from error
    if size > limit:
        raise TooLarge(f"{field} has {size} bytes of JSON; {limit} are allowed.", field=field)
    return text


def clip(text: str, limit: int = MAX_MESSAGE) -> str:
    """`text`, cut to `limit` characters with a mark where it was cut, and without NUL or lone surrogates."""
    if len(text) <= limit and text.isascii() and "\0" not in text:
        return text
    clean = text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
