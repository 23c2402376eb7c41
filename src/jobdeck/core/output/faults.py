"""What is wrong with parameters, a field at a time: pydantic tells each alternative of a value by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Location = tuple[int | str, ...]

_ALTERNATIVE = re.compile(r"[A-Z]\w*|str|int|float|bool|bytes|none|date|datetime|.*[\[(].*", re.DOTALL)
"""How pydantic names an alternative within a location: `str`, `ColumnWish`, `list[union[str,ColumnWish]]`."""
_MUST = "it must be "


def place_of(location: Sequence[int | str], params: object) -> Location:
    """The location as it stands in `params`: without the names of alternatives, which no one wrote."""
    kept: list[int | str] = []
    value = params
    for part in location:
        found, inner = _inside(value, part)
        if not found and kept and isinstance(part, str) and _ALTERNATIVE.fullmatch(part):
            continue
        kept.append(part)
        value = inner
    return tuple(kept)


def joined(messages: Sequence[str]) -> str:
    """What each alternative of one value wants, as one sentence."""
    different = list(dict.fromkeys(messages))
    if len(different) > 1 and all(message.startswith(_MUST) for message in different):
        return _MUST + " or ".join(message.removeprefix(_MUST) for message in different)
    return "; or ".join(different)


def _inside(value: object, part: int | str) -> tuple[bool, Any]:
    if isinstance(value, Mapping):
        return part in value, value.get(part)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return True, value[part]
    return False, None
