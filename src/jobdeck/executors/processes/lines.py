"""Bytes from a pipe as lines of a log: in full, in order, never one line's worth of memory without bound."""

from __future__ import annotations

from collections.abc import Iterator

from jobdeck.core.tasks import Printed
from jobdeck.core.values import clip
from jobdeck.executors.context import MAX_LINE, now_us


class Lines:
    """Cuts at newlines, and after 64 KiB without one. Invalid UTF-8 is replaced; a character is never cut in two."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Printed]:
        """The lines complete by now."""
        at = now_us()
        *whole, rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield from self._pieces(line, at)
        while len(rest) > MAX_LINE:
            size = _boundary(rest, MAX_LINE)
            yield self._printed(rest[:size], at)
            rest = rest[size:]
        self._rest = bytearray(rest)

    def finish(self) -> Iterator[Printed]:
        """The last line, if it had no newline; the next byte begins a new one."""
        rest, self._rest = self._rest, bytearray()
        if rest:
            yield self._printed(rest, now_us())

    def _pieces(self, line: bytes | bytearray, at: int) -> Iterator[Printed]:
        line = line.removesuffix(b"\r")
        while len(line) > MAX_LINE:
            size = _boundary(line, MAX_LINE)
            yield self._printed(line[:size], at)
            line = line[size:]
        yield self._printed(line, at)

    def _printed(self, line: bytes | bytearray, at: int) -> Printed:
        return Printed(at, self._level, clip(line.decode("utf-8", "replace"), MAX_LINE))


def _boundary(data: bytes | bytearray, limit: int) -> int:
    """The largest size up to `limit` that ends between two characters."""
    for size in range(limit, limit - 4, -1):
        if size >= len(data) or data[size] & 0xC0 != 0x80:
            return size
    return limit
