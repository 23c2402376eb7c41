"""What jobs say: kept in order, whatever happens to the worker; found again; gone with the job."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobdeck.core.errors import InvalidInput, Unavailable
from jobdeck.core.life.operations import Operation
from jobdeck.engine.log_store import LogStore, Portion
from jobdeck.engine.logs import SEAL_BYTES, LogEntry, LogFilter
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.storage.blobs import Blobs
from tests.engine.harness import Engine, at_gate, running, whole_log

MANY = 100_000


@pytest.fixture
def url(sqlite_url: str) -> str:
    """Logs are not in the database, so one kind of it is enough."""
    return sqlite_url


ODD = 'a\u2028b\x85c\x0bd\x1ce ﷺ "q" \\ {}'


async def test_a_chatty_task_in_order(sqlite_url: str, home: Path) -> None:
    async with running(sqlite_url, home) as engine:
        before = time.process_time()
        job = await engine.submit("chatty", payload=MANY, label=ODD)
        await engine.until(job, "succeeded")
        spent = time.process_time() - before
        lines = await engine.log(job)
        assert len(lines) == MANY
        assert all(line == f"{ODD} {number}" for number, line in enumerate(lines))
        assert spent < 20, f"{spent:.1f} s of processor time for {MANY} lines"
        blobs = await engine.blobs.list(f"logs/{job}")
        assert sum(b.size for b in blobs) < MANY * 20
        assert not list((home / "spool").rglob("*.jsonl"))


async def test_tail_follow_search_and_cursor(engine: Engine) -> None:
    job, gate, _ = await at_gate(engine, "said", "chatty", payload=3000, label="line")

    async def shipped() -> bool:
        return len(await engine.log(job)) == 3000

    await engine.true(shipped)
    tail = await engine.logs.back(job, 1, limit=3)
    cursor = tail.next
    assert [line.text for line in tail.lines] == ["line 2997", "line 2998", "line 2999"]
    assert await engine.logs.ahead(job, 1, after=cursor) == Portion([], cursor)
    seen: list[str] = []
    place: str | None = None
    while True:
        page = await engine.logs.ahead(job, 1, after=place, limit=700)
        place = page.next
        if not page.lines:
            break
        assert len(page.lines) <= 700
        seen += [line.text for line in page.lines]
    assert seen == [f"line {i}" for i in range(3000)]
    assert len((await engine.logs.ahead(job, 1, where=LogFilter(q="LINE 299"))).lines) == 11
    found = await engine.logs.ahead(job, 1, where=LogFilter(q="line 299"), limit=5)
    rest = await engine.logs.ahead(job, 1, where=LogFilter(q="line 299"), after=found.next)
    assert len(found.lines) + len(rest.lines) == 11
    text = b"".join([piece async for piece in engine.logs.text(job, 1)]).decode()
    assert text.count("\n") == 3000
    assert " INFO s0[0] line 0\n" in text
    gate.opened.set()
    await engine.until(job, "succeeded")
    assert await engine.logs.ahead(job, 1, after=cursor) == Portion([], cursor)


async def test_what_is_no_cursor(engine: Engine) -> None:
    for bad in ("x", "1:2:3", "../../etc:1", "1:-1", "1:\u0663", "\u00b2:1", "1:" + "9" * 13, ":1", "-:1"):
        with pytest.raises(InvalidInput):
            await engine.logs.ahead(1, 1, after=bad)
        with pytest.raises(InvalidInput):
            await engine.logs.back(1, 1, before=bad)


async def test_each_attempt_has_its_log_and_all_go_with_the_job(engine: Engine) -> None:
    first = await engine.submit()
    await engine.until(first, "succeeded")
    for _ in range(9):
        await engine.until(await engine.submit(), "succeeded")
    tenth = await engine.submit()
    job, gate, _ = await at_gate(engine, "s1/0/0", steps=2)
    await engine.done(Operation.RESTART, job)

    async def begun_again() -> bool:
        return bool((await engine.job(job))["attempt"] == 2)

    await engine.true(begun_again)
    gate.opened.set()
    await engine.until(job, "succeeded")
    assert (await engine.log(job, 1), await engine.log(job, 2)) == (["s0/0/0"], ["s0/0/0", "s1/0/0"])
    await engine.until(tenth, "succeeded")
    await engine.done(Operation.DELETE, first)  # job 1; job 11's name begins alike
    assert await engine.log(first) == []
    assert await engine.log(tenth) == ["s0/0/0"]
    await engine.done(Operation.DELETE, job)
    assert await engine.blobs.list(f"logs/{job}") == []


def line(number: int, text: str = "x") -> LogEntry:
    return LogEntry(number, "info", "s", 0, f"{text} {number}")


SPEAKER = """
import os, signal, sys
from pathlib import Path
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.engine.logs import LogEntry
from jobdeck.storage.blobs import Blobs

home = Path(sys.argv[1])
log = LogShipper(Blobs((home / "storage").as_uri()), home).open(7, 1, 3)
for number in range(5000):
    log.write(LogEntry(number, "info", "s", 0, f"\\u2028 {number} " + "x" * 100))
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_lines_of_a_killed_worker_are_recovered(home: Path) -> None:
    process = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", SPEAKER, str(home)], timeout=120)
    assert process.returncode == -9
    blobs = Blobs((home / "storage").as_uri())
    logs = LogStore(blobs)
    assert await logs.ahead(7, 1) == Portion([], None)
    torn = max((home / "spool").rglob("*.jsonl"), key=lambda p: int(p.stem.split("-")[-1]))
    with torn.open("a") as file:
        file.write('[1, "info", "s", 0, "torn')
    await served(LogShipper(blobs, home))
    lines = await whole_log(logs, 7)
    assert [one.at for one in lines] == list(range(5000))
    assert list((home / "spool").iterdir()) == []


async def served(shipper: LogShipper) -> None:
    stop = asyncio.Event()
    stop.set()
    await shipper.run(stop)


async def test_a_living_worker_keeps_its_lines(home: Path) -> None:
    """Two workers in one home, even in one process: neither takes the other's files for a dead one's."""
    blobs = Blobs((home / "storage").as_uri())
    first = LogShipper(blobs, home)
    first.open(1, 1, 1).write(line(1))
    await served(LogShipper(blobs, home))
    assert len(list((home / "spool").rglob("*.jsonl"))) == 1
    await served(first)
    assert len(await whole_log(LogStore(blobs), 1)) == 1


class Moody(Blobs):
    """An object storage that is slow, or away."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = False
        self.slow: list[float] = []
        self.puts = 0

    async def put(self, path: str, content: object) -> None:
        self.puts += 1
        if self.away:
            raise Unavailable("The object storage does not answer.")
        if self.slow:
            await asyncio.sleep(self.slow.pop(0))
        await super().put(path, content)  # type: ignore[arg-type]


async def test_shipping_twice_at_once_loses_nothing(home: Path) -> None:
    """An older version of a chunk that is slow to arrive does not replace a newer one."""
    blobs = Moody((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_log = shipper.open(1, 1, 1)
    size = SEAL_BYTES // 40
    blobs.slow = [0.2, 0.0, 0.1, 0.0]
    for number in range(3 * size):
        job_log.write(line(number))
    loop = asyncio.create_task(job_log.ship(blobs))
    await asyncio.sleep(0)
    job_log.write(line(3 * size))
    await asyncio.gather(loop, job_log.ship(blobs, all=True), shipper.close(job_log))
    lines = await whole_log(LogStore(blobs), 1)
    assert [one.at for one in lines] == list(range(3 * size + 1))
    await served(shipper)


async def test_a_storage_that_is_away_keeps_no_job_from_ending(home: Path) -> None:
    blobs = Moody((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    stop = asyncio.Event()
    serving = asyncio.create_task(shipper.run(stop))
    blobs.away = True
    job_log = shipper.open(1, 1, 1)
    job_log.write(line(1))
    await shipper.close(job_log)
    assert await LogStore(blobs).ahead(1, 1) == Portion([], None)
    blobs.away = False
    stop.set()
    await asyncio.wait_for(serving, 60)
    assert len(await whole_log(LogStore(blobs), 1)) == 1
    assert list((home / "spool").iterdir()) == []


async def test_a_log_that_grows_slowly_is_not_stored_again_and_again(home: Path) -> None:
    blobs = Moody((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_log = shipper.open(1, 1, 1)
    for number in range(SEAL_BYTES // 50):
        job_log.write(line(number))
    for number in range(20):
        job_log.write(line(number))
        await job_log.ship(blobs)
    assert blobs.puts == 1, "the whole chunk was stored for each line"
    await served(shipper)
    assert blobs.puts == 2


async def test_a_disk_that_is_full_does_not_stop_the_job(home: Path) -> None:
    blobs = Blobs((home / "storage").as_uri())
    shipper = LogShipper(blobs, home)
    job_log = shipper.open(1, 1, 1)
    job_log._chunk._file = os.open("/dev/full", os.O_WRONLY)
    job_log.write(line(1))
    assert job_log.lost is not None
    assert "No space left" in job_log.lost
    await shipper.close(job_log)
    assert len(await whole_log(LogStore(blobs), 1)) == 1
    await served(shipper)
