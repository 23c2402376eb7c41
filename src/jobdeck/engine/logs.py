"""What task code said, as it is kept: per attempt a row of compressed chunks of lines in the object storage."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jobdeck.core.errors import InvalidInput
from jobdeck.storage.places import log_prefix

SEAL_BYTES = 256 * 1024
"""A chunk that reaches this size is closed; until then it is written again as it grows."""


@dataclass(frozen=True, slots=True)
class LogEntry:
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
    def from_json(cls, line: str, cursor: str = "") -> LogEntry:
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

    def fits(self, line: LogEntry) -> bool:
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


def chunk_name(path: str) -> str:
    """The name of a chunk within its log, as cursors have it."""
    return path.rpartition("/")[2].partition(".")[0]


def pack(lines: Iterable[str]) -> bytes:
    """A chunk's content, of lines as JSON."""
    return pack_bytes("".join(f"{line}\n" for line in lines).encode())


def pack_bytes(lines: bytes) -> bytes:
    """A chunk's content, of lines as they are in a file."""
    return gzip.compress(lines, compresslevel=5, mtime=0)


def unpack(content: bytes) -> list[str]:
    """The lines of a chunk as JSON."""
    # Not `splitlines`: JSON leaves characters such as U+2028 in a line, which end no line of this file.
    return gzip.decompress(content).decode().split("\n")[:-1]


@dataclass(frozen=True, slots=True, order=True)
class LogCursor:
    """A place in a log: behind the line `line` (from 1; 0: before the first) of the chunk `chunk`.

    As text `<chunk>:<line>`; that of a line is the place behind it."""

    chunk: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.chunk}:{self.line}"

    @classmethod
    def parse(cls, text: str | None, field: str = "after") -> LogCursor:
        """Raises InvalidInput for what no log has given."""
        if not text:
            return cls()
        name, colon, lines = text.partition(":")
        digits = name.replace("-", "")
        if not colon or not _is_number(lines, 12) or not _is_number(digits, 60):
            raise InvalidInput("This is not a cursor of a log.", field=field, hint="Use the one of an answer.")
        return cls(name, int(lines))


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= digits
