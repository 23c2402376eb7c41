"""Reading logs: each answer looks through a bounded part of one, off the event loop, a chunk at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cachetools import LRUCache

from jobdeck.engine import log_scan
from jobdeck.engine.log_scan import Scanned
from jobdeck.engine.logs import EVERY_LINE, LogCursor, LogEntry, LogFilter, chunk_name
from jobdeck.storage.blobs import Blob, Blobs
from jobdeck.storage.places import log_prefix

MOST_LINES = 60_000
"""Lines that one answer looks through, about; what is behind them is for the next."""
MOST_BYTES = 16 * 1024 * 1024
"""Bytes, unpacked."""
MOST_SECONDS = 2.0
"""Seconds; a storage may be slow."""
_REMEMBERED = 20_000
"""Chunks whose number of lines is kept in memory."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of a log, oldest line first; what was looked through may be far more than what was found.

    `next`: the place behind all that was looked at, to go on from; None: there is nothing yet. `more`: lines behind it
    wait to be looked at. `earlier`: `before` for what is in front of all that was looked at; None: nothing is."""

    lines: list[LogEntry]
    next: str | None
    more: bool = False
    earlier: str | None = None


class _ReadBound:
    """How much one answer may still look through; the first chunk always may be."""

    def __init__(self) -> None:
        self._lines, self._bytes = MOST_LINES, MOST_BYTES
        self._end = asyncio.get_running_loop().time() + MOST_SECONDS

    def take(self, scanned: Scanned) -> None:
        self._lines -= scanned.total
        self._bytes -= scanned.size

    @property
    def reached(self) -> bool:
        return self._lines <= 0 or self._bytes <= 0 or asyncio.get_running_loop().time() >= self._end


class LogStore:
    """Reads logs."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        # One thread: several would compete with the event loop for the interpreter, and unpack no faster.
        self._thread = ThreadPoolExecutor(1, "log-reader")
        self._counts: LRUCache[tuple[str, int], int] = LRUCache(_REMEMBERED)

    async def ahead(
        self, job: int, attempt: int, *, after: str | None = None, limit: int = 1000, where: LogFilter = EVERY_LINE
    ) -> Portion:
        """Up to `limit` lines behind the cursor that fit `where`."""
        place = LogCursor.parse(after)
        chunks = [b for b in await self._chunks(job, attempt) if chunk_name(b.path) >= place.chunk]
        lines: list[LogEntry] = []
        bound, more = _ReadBound(), False
        for number, blob in enumerate(chunks):
            name = chunk_name(blob.path)
            skip = place.line if name == place.chunk else 0
            look = partial(log_scan.ahead, name=name, skip=skip, limit=limit - len(lines), where=where)
            found = await self._scan(blob, look)
            if found is None:
                break
            lines += found.lines
            place = LogCursor(name, found.place)
            bound.take(found)
            more = found.place < found.total or number + 1 < len(chunks)
            if len(lines) >= limit or bound.reached:
                break
        return Portion(lines, str(place) if place.chunk else after, more)

    async def back(
        self, job: int, attempt: int, *, before: str | None = None, limit: int = 1000, where: LogFilter = EVERY_LINE
    ) -> Portion:
        """The last `limit` lines that fit `where`; with `before`, of the lines in front of the line whose cursor that
        is, and then without a `next`."""
        end = LogCursor.parse(before, "before") if before is not None else None
        chunks = [b for b in await self._chunks(job, attempt) if end is None or chunk_name(b.path) <= end.chunk]
        lines: list[LogEntry] = []
        bound, following, earlier = _ReadBound(), None, None
        for number in range(len(chunks) - 1, -1, -1):
            name = chunk_name(chunks[number].path)
            upto = max(0, end.line - 1) if end is not None and name == end.chunk else None
            look = partial(log_scan.back, name=name, end=upto, limit=limit - len(lines), where=where)
            found = await self._scan(chunks[number], look)
            if found is None:
                break
            lines = [*found.lines, *lines]
            if end is None and following is None:
                following = f"{name}:{found.total}"
            bound.take(found)
            earlier = f"{name}:{found.place}" if number or found.place > 1 else None
            if len(lines) >= limit or bound.reached:
                break
        return Portion(lines, following, earlier=earlier)

    async def text(
        self, job: int, attempt: int, turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    ) -> AsyncIterator[bytes]:
        """The whole log as text, a chunk at a time, each when it is its turn."""
        for blob in await self._chunks(job, attempt):
            async with turn():
                piece = await self._scan(blob, log_scan.text)
            if piece is None:
                return
            yield piece

    async def counts(self, job: int, attempt: int) -> dict[str, int]:
        """How many lines each chunk has, by name, in order."""
        return {chunk_name(blob.path): await self._count(blob) for blob in await self._chunks(job, attempt)}

    async def _count(self, blob: Blob) -> int:
        """Lines of a chunk. One that has grown since has another size."""
        key = (blob.path, blob.size)
        known = self._counts.get(key)
        if known is None:
            known = self._counts[key] = await self._scan(blob, log_scan.count) or 0
        return known

    async def _chunks(self, job: int, attempt: int) -> list[Blob]:
        return await self._blobs.list(log_prefix(job, attempt))

    async def _scan(self, blob: Blob, look: Callable[[bytes], T]) -> T | None:
        """What `look` finds in the chunk, in the thread; None when the log was deleted meanwhile."""
        try:
            content = await self._blobs.get(blob.path)
        except FileNotFoundError:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, look, content)
