"""Bytes from a pipe as lines of a log: in full, in order, never one line's worth of memory without bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobdeck.core.output.lines import LineCutter
from jobdeck.core.tasks import Printed
from jobdeck.core.values import clip
from jobdeck.executors.context import MAX_LINE, now_us


class Lines:
    """What comes through one pipe. Invalid UTF-8 is replaced."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._cutter = LineCutter()

    def feed(self, data: bytes) -> Iterator[Printed]:
        """The lines complete by now."""
        return self._printed(self._cutter.feed(data))

    @property
    def open(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._cutter.open

    @property
    def ended(self) -> int:
        """Lines that have ended."""
        return self._cutter.ended

    def show(self) -> Iterator[Printed]:
        """The open line as it stands."""
        return self._printed(self._cutter.show())

    def finish(self) -> Iterator[Printed]:
        """The last line, if it had no newline; the next byte begins a new one."""
        return self._printed(self._cutter.finish())

    def _printed(self, lines: Iterable[bytes]) -> Iterator[Printed]:
        at = now_us()
        for line in lines:
            yield Printed(at, self._level, clip(line.decode("utf-8", "replace"), MAX_LINE))
