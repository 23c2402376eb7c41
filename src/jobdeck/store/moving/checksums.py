"""Counts and checksums of tables: equal for equal rows, whatever the order in which a database gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

_BYTES = 16
_ALL = 1 << (8 * _BYTES)


@dataclass(slots=True)
class Checksum:
    """How many rows there were, and the sum of what each of them hashes to: the order of text differs by collation."""

    rows: int = 0
    total: int = 0

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self.rows += 1
            digest = blake2b(orjson.dumps(list(row), default=_other), digest_size=_BYTES).digest()
            self.total = (self.total + int.from_bytes(digest)) % _ALL


def _other(value: Any) -> str:
    """Bytes, and integers beyond 64 bits."""
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else repr(value)
