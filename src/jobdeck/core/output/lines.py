"""Output of programs, cut into lines as people would see them on a terminal; pure, so that every reader cuts alike."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE = 64 * 1024
"""Bytes of a line; longer ones are cut."""
LINE_PATIENCE = 1.0
"""Seconds after which the beginning of a line is shown, when its end has not come: a question, or a bar of progress."""


class LineCutter:
    r"""Cuts at newlines, and after 64 KiB without one. A character is never cut in two. Of a line that was written over
    again and again (`\r`), the last state is what counts."""

    def __init__(self) -> None:
        self.ended = 0
        """Lines that have ended: while this stays the same, the open line is the same one."""
        self._rest = bytearray()
        self._shown = b""
        """Beginning of the present line that was shown already."""
        self._over = False
        """Whether it is one that is written over."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines complete by now."""
        *whole, rest = (self._rest + data).split(b"\n")
        self.ended += len(whole)
        for line in whole:
            yield from self._whole(bytes(line))
        if len(rest) > MAX_LINE:
            rest = bytearray(_last_state(rest, keep_open=True))
        while len(rest) > MAX_LINE:
            size = _boundary(rest, MAX_LINE)
            yield bytes(rest[:size])
            self._shown = b""
            rest = rest[size:]
        self._rest = bytearray(rest)

    @property
    def open(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest)

    def show(self) -> Iterator[bytes]:
        """The open line as it stands, for people who wait; told once, however long it stays so. What follows is a line
        of its own."""
        state = _last_state(self._rest)
        over = b"\r" in self._rest
        self._rest = bytearray()
        if state and not (over and state == self._shown):
            yield state
        self._shown, self._over = state or self._shown, over

    def finish(self) -> Iterator[bytes]:
        """The last line, if it had no newline; the next byte begins a new one."""
        rest, self._rest = bytes(self._rest), bytearray()
        state = _last_state(rest)
        if state and not (self._over and state == self._shown):
            yield state
        self._shown = b""

    def _whole(self, line: bytes) -> Iterator[bytes]:
        shown, self._shown = self._shown, b""
        line = _last_state(line)
        if shown and (not line or (self._over and line == shown)):
            return  # only the end of what was shown
        while len(line) > MAX_LINE:
            size = _boundary(line, MAX_LINE)
            yield line[:size]
            line = line[size:]
        yield line


def _last_state(line: bytes | bytearray, *, keep_open: bool = False) -> bytes:
    """What stands there after the last carriage return that something follows."""
    text = bytes(line)
    if b"\r" not in text:
        return text
    last = next((part for part in reversed(text.split(b"\r")) if part), b"")
    return last + b"\r" if keep_open and text.endswith(b"\r") else last


def _boundary(data: bytes | bytearray, limit: int) -> int:
    """The largest size up to `limit` that ends between two characters."""
    for size in range(limit, limit - 4, -1):
        if size >= len(data) or data[size] & 0xC0 != 0x80:
            return size
    return limit
