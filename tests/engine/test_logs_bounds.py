"""What bounds a log: its own size, the disk of the worker, and the memory while the storage is away."""

from __future__ import annotations

import asyncio
import os
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobdeck.core import amounts
from jobdeck.core.errors import Unavailable
from jobdeck.engine.log_store import LogStore
from jobdeck.engine.logs import SEAL_BYTES, LogEntry
from jobdeck.engine.worker.job_log import RESERVE_BYTES
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.storage.blobs import Blobs
from tests.engine.harness import Engine, running, whole_log

MIB = 1024 * 1024


class Away(Blobs):
    """A storage that is away, or gone again after so many puts."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.takes: int | None = 0
        self.asked = 0

    async def put(self, path: str, content: object) -> None:
        self.asked += 1
        if self.takes is not None:
            if not self.takes:
                raise Unavailable("The object storage does not answer.")
            self.takes -= 1
        await super().put(path, content)  # type: ignore[arg-type]


def line(number: int, text: str = "x" * 80, level: str = "info") -> LogEntry:
    return LogEntry(number, level, "s", 0, f"{text} {number}")


async def served(shipper: LogShipper) -> None:
    stop = asyncio.Event()
    stop.set()
    await shipper.run(stop)


async def told(blobs: Blobs, job: int = 1) -> tuple[list[int], list[str]]:
    """The numbers of the lines in a log, and what Jobdeck says in it."""
    lines = await whole_log(LogStore(blobs), job)
    return [one.at for one in lines if one.step is not None], [one.text for one in lines if one.step is None]


async def test_a_log_ends_at_its_bound_and_says_so(home: Path) -> None:
    blobs = Blobs((home / "storage").as_uri())
    shipper = LogShipper(blobs, home, max_log=MIB)
    job_log = shipper.open(1, 1, 1)
    many = 3 * MIB // 100
    for number in range(many):
        job_log.write(line(number))
    job_log.write(line(many, "it failed", "error"))
    job_log.write(line(many + 1, "it is odd", "warning"))
    job_log.write(line(many + 2, "one more"))
    await shipper.close(job_log)
    kept, said = await told(blobs)
    ordinary = kept[:-2]
    assert ordinary == list(range(len(ordinary)))
    assert kept[-2:] == [many, many + 1]
    assert MIB * 0.98 < sum(len(line(n).to_json()) + 1 for n in ordinary) <= MIB
    left_out = many + 1 - len(ordinary)
    bound = "the bound of 1 MiB (setting max_log_mb)"
    assert said == [
        f"This log has reached {bound}: further lines are left out, but warnings and errors.",
        f"{amounts.number(left_out)} lines were left out: this log had reached {bound}.",
    ]
    assert job_log.left_out == left_out
    assert (await whole_log(LogStore(blobs), 1))[-1].text == said[-1], "the log does not end with it"
    assert list((home / "spool").rglob("*.jsonl")) == []
    await served(shipper)


async def test_warnings_are_bounded_as_well(home: Path) -> None:
    blobs = Blobs((home / "storage").as_uri())
    shipper = LogShipper(blobs, home, max_log=MIB)
    job_log = shipper.open(1, 1, 1)
    for number in range(4 * MIB // 100):
        job_log.write(line(number, level="warning"))
    await shipper.close(job_log)
    kept, said = await told(blobs)
    assert MIB < sum(len(line(n, level="warning").to_json()) + 1 for n in kept) <= MIB + RESERVE_BYTES
    assert said[-1].startswith(f"{amounts.number(4 * MIB // 100 - len(kept))} lines were left out")
    await served(shipper)


async def test_the_bound_is_that_of_the_attempt_wherever_it_ran(home: Path) -> None:
    """A job that was paused goes on with the log as it is; another attempt begins anew."""
    blobs = Blobs((home / "storage").as_uri())
    shipper = LogShipper(blobs, home, max_log=2 * MIB)
    first = shipper.open(1, 1, 1)
    for number in range(int(1.5 * MIB) // 100):
        first.write(line(number))
    await shipper.close(first)
    assert not first.left_out
    for attempt, expected in ((1, True), (2, False)):
        job_log = shipper.open(1, attempt, 2)
        for number in range(int(1.5 * MIB) // 100):
            job_log.write(line(number))
            if number % 1000 == 0:
                await job_log.ship(blobs)
        await shipper.close(job_log)
        assert bool(job_log.left_out) is expected
    await served(shipper)


async def test_lines_wait_on_disk_and_not_in_memory(home: Path) -> None:
    """210,000 lines while the storage is away take as much memory as none. Then all of them come, once."""
    many, logs = 210_000, 3
    blobs = Away((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    stop = asyncio.Event()
    serving = asyncio.create_task(shipper.run(stop))
    job_logs = [shipper.open(job, 1, 1) for job in range(1, logs + 1)]
    tracemalloc.start()
    try:
        for number in range(many):
            job_logs[number % logs].write(line(number))
            if number % 5000 == 0:
                await asyncio.sleep(0)
        async with asyncio.timeout(60):  # although the storage stays away
            await asyncio.gather(*map(shipper.close, job_logs))
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert grown < 8 * MIB, f"{grown / MIB:.1f} MiB for lines that wait"
    assert sum(file.stat().st_size for file in (home / "spool").rglob("*.jsonl")) > many * 80
    blobs.takes = None
    stop.set()
    await asyncio.wait_for(serving, 120)
    for number, job in enumerate(range(1, logs + 1)):
        assert await told(blobs, job) == (list(range(number, many, logs)), [])
    assert list((home / "spool").iterdir()) == []


async def test_a_storage_that_comes_and_goes_gets_each_line_once(home: Path) -> None:
    blobs = Away((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_logs = [shipper.open(job, 1, 1) for job in range(1, 4)]
    for number in range(30_000):
        for job_log in job_logs:
            job_log.write(line(number))
        if number % 1500 == 0:
            blobs.takes = number % 4
            await shipper._round()
    await asyncio.gather(*map(shipper.close, job_logs))
    blobs.takes = None
    await served(shipper)
    for job in range(1, 4):
        assert await told(blobs, job) == (list(range(30_000)), [])


async def test_while_it_is_away_one_log_tries_and_no_end_of_a_job_waits(home: Path) -> None:
    blobs = Away((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_logs = [shipper.open(job, 1, 1) for job in range(1, 101)]
    for job_log in job_logs:
        job_log.write(line(0))
    await shipper._round()
    before = blobs.asked
    for _ in range(3):
        await shipper._round()
    await asyncio.gather(*map(shipper.close, job_logs))
    assert blobs.asked == before + 3
    blobs.takes = None
    await served(shipper)
    assert [await told(blobs, job) for job in range(1, 101)] == [([0], [])] * 100


async def test_a_spool_that_is_full_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blobs = Away((home / "storage").as_uri())
    shipper = LogShipper(blobs, home, max_spool=MIB)
    shipper._room._memory = MIB
    job_log = shipper.open(1, 1, 1)
    for number in range(40_000):
        job_log.write(line(number))
    assert job_log.left_out
    assert sum(file.stat().st_size for file in (home / "spool").rglob("*.jsonl")) <= MIB
    await shipper._round()
    await shipper._round()
    assert capsys.readouterr().out.count("log_spool_full") == 1
    blobs.takes = None
    await shipper._round()
    job_log.write(line(40_000))
    await shipper.close(job_log)
    await served(shipper)
    kept, said = await told(blobs)
    assert kept == [*range(len(kept) - 1), 40_000]
    lost = amounts.number(40_001 - len(kept))
    assert said == [f"{lost} lines were lost here: 1 MiB of lines wait for the storage (setting log_spool_mb)."]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a disk that fills up in the middle of a line: a part of it is written, then nothing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_fills_up_tears_no_line(home: Path) -> None:
    blobs = Blobs((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_log = shipper.open(1, 1, 1)
    with no_file_larger_than(SEAL_BYTES // 2 + 7):
        for number in range(10_000):
            job_log.write(line(number))
    assert job_log.lost is not None
    for number in range(10_000, 11_000):
        job_log.write(line(number))
    await shipper.close(job_log)
    assert await told(blobs) == (list(range(11_000)), [])
    await served(shipper)


async def test_a_file_that_is_gone_holds_up_no_other_line(home: Path) -> None:
    blobs = Blobs((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_log, other = shipper.open(1, 1, 1), shipper.open(2, 1, 1)
    job_log.write(line(0))
    other.write(line(1))
    for file in (home / "spool").rglob("1-*.jsonl"):
        os.unlink(file)
    await shipper._round()
    job_log.write(line(2))
    await asyncio.gather(shipper.close(job_log), shipper.close(other))
    assert (await told(blobs, 2))[0] == [1]
    assert "cannot be read on the worker's disk" in (await told(blobs))[1][0]
    await served(shipper)


async def test_what_a_dead_worker_left_waits_until_the_storage_is_back(home: Path) -> None:
    blobs = Away((home / "storage").as_uri())
    dead = LogShipper(blobs, home)
    job_log = dead.open(1, 1, 1)
    for number in range(10_000):
        job_log.write(line(number))
    assert dead._spool._lock is not None
    os.close(dead._spool._lock)  # as when its process is gone
    shipper = LogShipper(blobs, home)
    assert not await shipper._recover()
    await shipper._round()
    blobs.takes = None
    await shipper._round()
    assert (await told(blobs))[0] == list(range(10_000))
    await served(shipper)
    assert list((home / "spool").iterdir()) == []


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


async def test_the_job_shows_that_its_log_is_not_whole(url: str, home: Path) -> None:
    async with running(url, home) as engine:
        assert await warnings_and_end(engine) == (0, "line 199")
        for hand in engine.hands:
            hand.shipper._max_log = 5000
        warnings, end = await warnings_and_end(engine)
        assert warnings == 1
        assert "lines were left out: this log had reached the bound" in end


async def warnings_and_end(engine: Engine) -> tuple[int, str]:
    """What a job shows that logs 200 lines, and the last line of its log."""
    job = await engine.submit("chatty", payload=200, label="line")
    row = await engine.until(job, "succeeded")
    return int(row["warnings"]), (await engine.log(job))[-1]
