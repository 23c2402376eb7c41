"""Parts of a file: the Range header of RFC 9110, one range at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


class Unsatisfiable(ValueError):
    """The range lies behind the end."""


def parse(header: str | None, size: int) -> ByteSpan | None:
    """The span asked for, None for the whole file; what is not understood is ignored, as the RFC allows."""
    found = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    if last and first and int(last) < int(first):
        return None
    if start >= size:
        raise Unsatisfiable(header)
    return ByteSpan(start, end)
