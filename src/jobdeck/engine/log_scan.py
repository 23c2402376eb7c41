"""Looking through one chunk of a log for the lines that are wanted. It runs in a thread, and each call is short.

A line is decoded only when it looks from outside as if it were wanted: of lines that are not, thousands pass in a
millisecond, most of it without the lock that the other threads of the process need."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from jobdeck.engine.logs import EVERY_LINE, LogEntry, LogFilter, unpack

_BREATH = 100
"""Lines after which other threads get their turn."""
T = TypeVar("T")
_TEXT = r'(?:null|"(?:[^"\\]|\\.)*")'


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a look through a chunk has found, oldest first. `place`: the number of the line that was looked at last;
    in a look ahead 0 or more, backwards 1 or more. `total`: lines of the chunk."""

    lines: list[LogEntry]
    place: int
    total: int
    size: int
    """Characters of the chunk."""


def ahead(content: bytes, name: str, skip: int, limit: int, where: LogFilter) -> Scanned:
    """Up to `limit` lines behind the line `skip`."""
    lines = unpack(content)
    found = _first(name, lines, _candidates(lines, range(skip, len(lines)), where), limit, where)
    place = _number(found[-1]) if len(found) >= limit else max(skip, len(lines))
    return Scanned(found, place, len(lines), _size(lines))


def back(content: bytes, name: str, end: int | None, limit: int, where: LogFilter) -> Scanned:
    """The last `limit` lines up to the line `end` (None: the last one)."""
    lines = unpack(content)
    last = len(lines) if end is None else min(end, len(lines))
    found = _first(name, lines, _candidates(lines, range(last - 1, -1, -1), where), limit, where)
    place = _number(found[-1]) if len(found) >= limit else 1
    return Scanned(found[::-1], place, len(lines), _size(lines))


def text(content: bytes) -> bytes:
    """All lines as text for people."""
    return "".join(f"{LogEntry.from_json(line).to_text()}\n" for line in _unhurried(unpack(content))).encode()


def count(content: bytes) -> int:
    """How many lines it has."""
    return gzip.decompress(content).count(b"\n")


def _first(name: str, lines: list[str], places: Iterable[int], limit: int, where: LogFilter) -> list[LogEntry]:
    found: list[LogEntry] = []
    for place in _unhurried(places):
        line = LogEntry.from_json(lines[place], f"{name}:{place + 1}")
        if where.fits(line):
            found.append(line)
            if len(found) >= limit:
                break
    return found


def _candidates(lines: list[str], places: range, where: LogFilter) -> Iterable[int]:
    """Places of lines that may fit."""
    if where == EVERY_LINE or not places:
        return places
    head, sought = _head(where), _sought(where)
    if sought:
        # In one go: what a chunk does not have at all, no line of it has.
        lowered = "\n".join(lines).lower()
        if sought not in lowered:
            return ()
        low = lowered.split("\n")
        places_with = [place for place in places if sought in low[place]]
    else:
        places_with = list(places)
    return [p for p in places_with if head.match(lines[p])] if head is not None else places_with


def _sought(where: LogFilter) -> str:
    """What the JSON of a line in small letters has somewhere if its text has `q`; empty: nothing is known."""
    low = (where.q or "").lower()
    # The small letter of a sigma depends on what stands beside it, which may be another thing in JSON.
    return "" if "\u03c3" in low or "\u03c2" in low else json.dumps(low, ensure_ascii=False)[1:-1]


def _head(where: LogFilter) -> re.Pattern[str] | None:
    """How the JSON of a line of the wanted levels, step and task begins."""
    if not where.levels and where.step is None and where.task is None:
        return None
    levels = "|".join(re.escape(_json(level)) for level in where.levels) or _TEXT
    step = _TEXT if where.step is None else re.escape(_json(where.step))
    task = "" if where.task is None else f"{where.task}, "
    return re.compile(rf"\[-?\d+, (?:{levels}), {step}, {task}")


def _json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unhurried(items: Iterable[T]) -> Iterator[T]:
    for number, item in enumerate(items):
        if number % _BREATH == _BREATH - 1:
            time.sleep(0)
        yield item


def _number(line: LogEntry) -> int:
    return int(line.cursor.rpartition(":")[2])


def _size(lines: list[str]) -> int:
    return sum(map(len, lines)) + len(lines)
