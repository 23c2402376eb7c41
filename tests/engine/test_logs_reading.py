"""Reading logs: an answer looks through a bounded part, the next goes on, and nothing is told twice or left out."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from jobdeck.engine import log_scan
from jobdeck.engine.log_store import MOST_LINES, LogStore
from jobdeck.engine.logs import LogEntry, LogFilter, chunk_path, pack
from jobdeck.storage.blobs import Blobs

LINES = 150_000
OF_A_CHUNK = 2500
RARE = {3, 40_000, 149_990}
ODD = ('"', "\\", "n", "\n", "Σ", "ς", "σ", "İ", "i", "ß", "\u2028", "\x1f", "A", "a", " ", "load", "🦉", "é", ",", "[")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of many lines, of which few are rare."""
    root = tmp_path_factory.mktemp("storage")
    for start in range(0, LINES, OF_A_CHUNK):
        numbers = range(start, start + OF_A_CHUNK)
        lines = [
            LogEntry(n, "info", "load", n % 7, f"{'rare' if n in RARE else 'plain'} {n}").to_json() for n in numbers
        ]
        file = root / chunk_path(1, 1, 1, start // OF_A_CHUNK)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pack(lines))
    return root


async def ahead(logs: LogStore, where: LogFilter, limit: int = 1000) -> tuple[list[int], list[int]]:
    """The lines that are found, and how many each answer had."""
    found: list[int] = []
    counts, after = [], None
    while True:
        portion = await logs.ahead(1, 1, after=after, limit=limit, where=where)
        found += [line.at for line in portion.lines]
        counts.append(len(portion.lines))
        assert portion.next != after
        after = portion.next
        if not portion.more:
            return found, counts


async def back(logs: LogStore, where: LogFilter, limit: int = 1000) -> tuple[list[int], list[int]]:
    found: list[int] = []
    counts, before = [], None
    while True:
        portion = await logs.back(1, 1, before=before, limit=limit, where=where)
        found = [line.at for line in portion.lines] + found
        counts.append(len(portion.lines))
        before = portion.earlier
        if before is None:
            return found, counts


async def test_an_answer_looks_through_a_part_and_the_next_goes_on(storage: Path) -> None:
    logs = LogStore(Blobs(storage.as_uri()))
    rare = LogFilter(q="RARE")
    found, counts = await ahead(logs, rare)
    assert found == sorted(RARE)
    assert len(counts) >= LINES // MOST_LINES, "one answer looked through all of it"
    backwards, more = await back(logs, rare)
    assert backwards == sorted(RARE)
    assert len(more) >= LINES // MOST_LINES
    assert (await ahead(logs, LogFilter(q="nowhere")))[0] == []
    assert (await back(logs, LogFilter(levels=("error",))))[0] == []


async def test_whatever_the_filter_both_ways_find_the_same(storage: Path) -> None:
    logs = LogStore(Blobs(storage.as_uri()))
    for where in (LogFilter(), LogFilter(task=3), LogFilter(q="9999"), LogFilter(step="load", task=1, q="plain 7")):
        expected = [
            n for n in range(LINES)
            if where.fits(LogEntry(n, "info", "load", n % 7, f"{'rare' if n in RARE else 'plain'} {n}"))
        ]  # fmt: skip
        assert (await ahead(logs, where, 997))[0] == expected
        assert (await back(logs, where, 997))[0] == expected


def test_lines_that_are_passed_over_unread_do_not_fit() -> None:
    """What is looked at from outside finds what decoding each line finds, whatever stands in it."""
    chance = random.Random(5)

    def odd(most: int) -> str:
        return "".join(chance.choices(ODD, k=chance.randint(0, most)))

    for _ in range(300):
        lines = [
            LogEntry(
                chance.randint(-5, 10**16), chance.choice(("info", "error", "stderr")),
                chance.choice((None, "", "load", 'a"b', "Σ", odd(3))), chance.choice((None, 0, 1, 11)), odd(12),
            )
            for _ in range(30)
        ]  # fmt: skip
        where = LogFilter(
            chance.choice(((), ("info",), ("error", "stderr"))), chance.choice((None, None, "load", 'a"b', "Σ", "")),
            chance.choice((None, None, 1)), chance.choice((None, odd(3) or None)),
        )  # fmt: skip
        expected = [line for line in lines if where.fits(line)]
        content = pack([line.to_json() for line in lines])
        assert log_scan.ahead(content, "1-1", 0, 1000, where).lines == expected, where
        assert log_scan.back(content, "1-1", None, 1000, where).lines == expected, where
        assert log_scan.ahead(content, "1-1", 4, 2, where).lines == [x for x in lines[4:] if where.fits(x)][:2]
        assert log_scan.back(content, "1-1", 20, 2, where).lines == [x for x in lines[:20] if where.fits(x)][-2:]


async def test_reading_lets_everything_else_go_on(storage: Path) -> None:
    logs = LogStore(Blobs(storage.as_uri()))
    loop = asyncio.get_running_loop()
    reading = [asyncio.create_task(ahead(logs, LogFilter(q="nowhere"))) for _ in range(4)]
    gaps, last = [], loop.time()
    while not all(task.done() for task in reading):
        await asyncio.sleep(0)
        gaps.append(loop.time() - last)
        last = loop.time()
    assert max(gaps) < 0.5, f"the event loop stood still for {max(gaps):.2f} s"
    assert len(gaps) > 100


async def test_who_goes_away_ends_the_reading(storage: Path) -> None:
    class Counting(Blobs):
        gets = 0

        async def get(self, path: str) -> bytes:
            self.gets += 1
            begun.set()
            return await super().get(path)

    begun = asyncio.Event()
    blobs = Counting(storage.as_uri())
    reading = asyncio.create_task(LogStore(blobs).ahead(1, 1, where=LogFilter(q="nowhere")))
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    seen = blobs.gets
    await LogStore(Blobs(storage.as_uri())).ahead(1, 1)  # as long as it would have gone on for
    assert blobs.gets == seen < 10


async def test_a_log_that_is_deleted_meanwhile_just_ends(tmp_path: Path) -> None:
    class Vanishing(Blobs):
        async def get(self, path: str) -> bytes:
            raise FileNotFoundError(path)

    blobs = Vanishing(tmp_path.as_uri())
    await blobs.put(chunk_path(1, 1, 1, 0), pack([LogEntry(1, "info", None, None, "x").to_json()]))
    logs = LogStore(blobs)
    assert (await logs.ahead(1, 1)).lines == (await logs.back(1, 1)).lines == []
    assert [piece async for piece in logs.text(1, 1)] == []
