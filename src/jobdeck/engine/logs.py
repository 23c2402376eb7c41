"""What task code said, kept per attempt as compressed files in the object storage: read, searched, deleted."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jobdeck.core.errors import InvalidInput
from jobdeck.storage.blobs import Blobs
from jobdeck.storage.places import log_prefix

SEAL_BYTES = 256 * 1024
"""A chunk that reaches this size is closed; until then it is written again as it grows."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `at` is µs; `step` and `task` say whose it is, None for the engine's own.

    `cursor` stands behind the line, once it was read."""

    at: int
    level: str
    step: str | None
    task: int | None
    text: str
    cursor: str = field(default="", compare=False)

    def to_json(self) -> str:
        return json.dumps([self.at, self.level, self.step, self.task, self.text], ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str, cursor: str = "") -> LogLine:
        at, level, step, task, text = json.loads(line)
        return cls(at, level, step, task, text, cursor)

    def to_text(self) -> str:
        """`2026-11-20T07:34:37.123Z INFO load[3] message`"""
        at = datetime.fromtimestamp(self.at / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        who = "" if self.step is None else f" {self.step}[{self.task}]"
        return f"{at}Z {self.level.upper()}{who} {self.text}"


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Lines of any of these `levels`, of a step and a task, that contain `q`, whatever the case. Empty or None: any."""

    levels: tuple[str, ...] = ()
    step: str | None = None
    task: int | None = None
    q: str | None = None

    def fits(self, line: LogLine) -> bool:
        return (
            (not self.levels or line.level in self.levels)
            and (self.step is None or line.step == self.step)
            and (self.task is None or line.task == self.task)
            and (self.q is None or self.q.lower() in line.text.lower())
        )


EVERY_LINE = LogFilter()


def chunk_path(job: int, attempt: int, epoch: int, number: int) -> str:
    """Chunks sort in the order in which they were written."""
    return f"{log_prefix(job, attempt)}/{epoch:06d}-{number:06d}.jsonl.gz"


def pack(lines: Iterable[str]) -> bytes:
    """A chunk's content."""
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), compresslevel=5, mtime=0)


def _unpack(content: bytes) -> list[str]:
    # Not `splitlines`: JSON leaves characters such as U+2028 in a line, which end no line of this file.
    return gzip.decompress(content).decode().split("\n")[:-1]


class LogStore:
    """Reads logs. A cursor is `<chunk>:<lines read of it>`."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def read(
        self, job: int, attempt: int, *, after: str | None = None, limit: int = 1000, where: LogFilter = EVERY_LINE
    ) -> tuple[list[LogLine], str | None]:
        """Up to `limit` lines behind the cursor that fit `where`, and the cursor to go on from (None: nothing yet)."""
        cursor = _cursor(after)
        lines: list[LogLine] = []
        async for line in self._lines(job, attempt, cursor):
            cursor = _cursor(line.cursor)
            if where.fits(line):
                lines.append(line)
                if len(lines) >= limit:
                    break
        return lines, f"{cursor[0]}:{cursor[1]}" if cursor[0] else after

    async def tail(
        self, job: int, attempt: int, count: int, *, where: LogFilter = EVERY_LINE, before: str | None = None
    ) -> tuple[list[LogLine], str | None]:
        """The last `count` lines that fit `where`, and the cursor to follow from; with `before`, of the lines in front
        of the line whose cursor that is."""
        end = _cursor(before)
        lines: list[LogLine] = []
        cursor = None
        for blob in reversed(await self._blobs.list(log_prefix(job, attempt))):
            name = _name(blob.path)
            if before is not None and name > end[0]:
                continue
            chunk = _unpack(await self._blobs.get(blob.path))
            if before is not None and name == end[0]:
                chunk = chunk[: max(0, end[1] - 1)]
            cursor = cursor or f"{name}:{len(chunk)}"
            lines = [*_last(name, chunk, max(1, count) - len(lines), where), *lines]
            if len(lines) >= count:
                break
        return lines, cursor

    async def text(self, job: int, attempt: int) -> AsyncIterator[bytes]:
        """The whole log as text, a chunk at a time."""
        for blob in await self._blobs.list(log_prefix(job, attempt)):
            chunk = _unpack(await self._blobs.get(blob.path))
            yield "".join(f"{LogLine.from_json(line).to_text()}\n" for line in chunk).encode()

    async def _lines(self, job: int, attempt: int, cursor: tuple[str, int]) -> AsyncIterator[LogLine]:
        for blob in await self._blobs.list(log_prefix(job, attempt)):
            name = _name(blob.path)
            if name < cursor[0]:
                continue
            skip = cursor[1] if name == cursor[0] else 0
            chunk = _unpack(await self._blobs.get(blob.path))
            for number, line in enumerate(chunk[skip:], start=skip + 1):
                yield LogLine.from_json(line, f"{name}:{number}")


def _last(name: str, chunk: list[str], count: int, where: LogFilter) -> list[LogLine]:
    found: list[LogLine] = []
    for number in range(len(chunk), 0, -1):
        line = LogLine.from_json(chunk[number - 1], f"{name}:{number}")
        if where.fits(line):
            found.append(line)
            if len(found) >= count:
                break
    return found[::-1]


def _name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _cursor(text: str | None) -> tuple[str, int]:
    if not text:
        return "", 0
    name, colon, lines = text.partition(":")
    if not colon or not lines.isdecimal() or len(lines) > 12 or not name.replace("-", "").isdecimal():
        raise InvalidInput("This is not a cursor of a log.", field="after", hint="Use the `next` of the page before.")
    return name, int(lines)
