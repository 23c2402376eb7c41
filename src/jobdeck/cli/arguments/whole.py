"""Whole numbers are written as such: the parser would round `1.5` to 2, and say nothing."""

from __future__ import annotations

import re
from typing import get_args

from cyclopts import App, ArgumentCollection, CoercionError

_WHOLE = re.compile(r"[+-]?[0-9]+")


def whole_numbers_only(_app: App, _names: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse what is typed for a whole number and is none; called by the parser before it converts what was typed."""
    for argument in arguments:
        if not _is_whole(argument.hint):
            continue
        for token in argument.tokens:
            if not _WHOLE.fullmatch(token.value):
                raise CoercionError(token=token, argument=argument, target_type=int)


def _is_whole(hint: object) -> bool:
    """`int`, and what is made of it and None alone: `int | None`, `tuple[int, ...]`."""
    parts = [part for part in get_args(hint) if part not in (type(None), ...)]
    return hint is int or (bool(parts) and all(_is_whole(part) for part in parts))
