"""Counting in worker processes: count, first and last moment go to a mapped file of 24 bytes per process."""

from __future__ import annotations

import json
import mmap
import os
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

FOLDER = Path(os.environ.get("TALLY", "."))
BEST = os.environ.get("SETTINGS", "best") == "best"
"""Whether the peer runs as its documentation recommends for throughput; else as it is installed."""
_FORM = struct.Struct("qdd")


class Tally:
    """One process's count; `latency` lines go to a second file."""

    def __init__(self) -> None:
        path = FOLDER / f"{os.getpid()}.count"
        path.write_bytes(_FORM.pack(0, 0.0, 0.0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORM.size)
        self._count, self._first = 0, 0.0

    def ran(self, submitted: float) -> None:
        """A job ran; `submitted` (time.monotonic) is 0 where the wait is of no interest."""
        now = time.monotonic()
        self._count += 1
        self._first = self._first or now
        self._map[:] = _FORM.pack(self._count, self._first, now)
        if submitted:
            with (FOLDER / f"{os.getpid()}.waits").open("a") as file:
                file.write(f"{(now - submitted) * 1000}\n")


def _read() -> list[tuple[int, float, float]]:
    return [_FORM.unpack(path.read_bytes()) for path in FOLDER.glob("*.count")]


def wait(jobs: int) -> None:
    """Print the rate once `jobs` jobs ran."""
    print(json.dumps({"rate": counted(jobs)}))


def counted(jobs: int) -> float:
    """Jobs a second, from the first call to the last, once `jobs` jobs ran."""
    while sum(count for count, _, _ in _read()) < jobs:
        time.sleep(0.1)
    found = [entry for entry in _read() if entry[0]]
    return jobs / (max(e[2] for e in found) - min(e[1] for e in found))


def waits() -> list[float]:
    return [float(line) for path in FOLDER.glob("*.waits") for line in path.read_text().split()]


async def latency(count: int, send: Callable[[float], Awaitable[object]]) -> None:
    """Send one job after another to an idle engine and print how long each waited (ms)."""
    print(json.dumps({"ms": await latencies(count, send)}))


async def latencies(count: int, send: Callable[[float], Awaitable[object]]) -> list[float]:
    """How long each of `count` jobs waited (ms), sent one after another to an idle engine."""
    import asyncio

    for number in range(count + 5):
        before = len(waits())
        await send(time.monotonic())
        while len(waits()) == before:
            await asyncio.sleep(0.002)
        if number == 4:
            for path in FOLDER.glob("*.waits"):
                path.write_text("")
        await asyncio.sleep(0.03)
    return waits()


def rate(jobs: int, began: float) -> None:
    print(json.dumps({"rate": jobs / (time.monotonic() - began)}))
