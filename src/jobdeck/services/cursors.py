"""Cursors of lists: where a page ended, as text that clients hand back and need not understand."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jobdeck.core.errors import InvalidInput
from jobdeck.wire.base import MAX_ID

T = TypeVar("T")

MAX_CURSOR = 1000


def encode(kind: str, *values: int | str) -> str:
    """A cursor of the list called `kind`."""
    text = json.dumps([kind, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, kind: str, *types: type) -> tuple[Any, ...]:
    """The values of a cursor of this list; raises InvalidInput when it is from elsewhere or was changed."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as error:
        raise _bad() from error
    if not isinstance(found, list) or len(found) != len(types) + 1 or found[0] != kind:
        raise _bad()
    if not all(_fits(value, wanted) for value, wanted in zip(found[1:], types, strict=True)):
        raise _bad()
    return tuple(found[1:])


def following(kind: str, found: Sequence[T], limit: int, key: Callable[[T], int | str]) -> str | None:
    """The cursor behind a page of `limit`, by the `key` of its last item; None where `found` has nothing behind it, so
    it is read with one item more than is shown."""
    return encode(kind, key(found[limit - 1])) if len(found) > limit else None


def number(cursor: str | None, kind: str) -> int | None:
    """The one number in a cursor, None without a cursor."""
    return None if cursor is None else int(decode(cursor, kind, int)[0])


def _fits(value: object, wanted: type) -> bool:
    if type(value) is not wanted:
        return False
    if isinstance(value, int):
        return -MAX_ID <= value <= MAX_ID
    return isinstance(value, str) and len(value) <= 200 and "\0" not in value and value.isprintable()


def _bad() -> InvalidInput:
    return InvalidInput(
        "This cursor is not one of this list.",
        field="cursor",
        hint="Take `next` of the page before, with the same filters and order; or leave it out to begin.",
    )
