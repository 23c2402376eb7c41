"""Operations on a selection of many pending jobs, through the API: the preview, the run, and how long others wait then.

python benchmarks/bench_bulk.py [--jobs 10000] [--rounds 3] [--only sqlite postgresql]"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import measuring

from jobdeck.client import Client
from jobdeck.wire.jobs import SubmitRequest

BATCH = 10_000
OPERATIONS = ("pause", "cancel", "delete")
"""In this order each finds all jobs in a state that allows it."""


@dataclass(frozen=True)
class Measured:
    """One operation on all jobs: seconds of the preview and of the run, and how long others waited meanwhile."""

    database: str
    operation: str
    jobs: int
    preview_seconds: float
    run_seconds: float
    read_p99_ms: float
    write_p99_ms: float


class Others:
    """Somebody else, who reads and writes all the time."""

    def __init__(self, url: str, home: Path) -> None:
        self._client = Client(url, home=home)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.reads: list[float] = []
        self.writes: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def _work(self) -> None:
        while not self._over.wait(0.01):
            began = time.monotonic()
            self._client.jobs.page(limit=10)
            read = time.monotonic()
            self._client.jobs.submit("noop", tags=["other"])
            self.reads.append((read - began) * 1000)
            self.writes.append((time.monotonic() - read) * 1000)


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[tuple[str, Path]]:
    """A server without a worker, so that jobs stay pending; its address and its home."""
    home, log = folder / "home", folder / "log"
    home.mkdir()
    command = measuring.jobdeck("server", "--home", str(home), "--port", "0")
    with measuring.process(command, log, JOBDECK_LOG_LEVEL="warning", **settings):
        measuring.until(lambda: "Jobdeck serves" in log.read_text(), "the server serves")
        address = next(word for word in log.read_text().split() if word.startswith("http://"))
        yield address.rstrip("."), home


def measured(database: str, address: str, home: Path, jobs: int) -> Iterator[Measured]:
    """Each operation on `jobs` jobs."""
    with Client(address, home=home, timeout=120) as client:
        for first in range(0, jobs, BATCH):
            client.jobs.submit_ids([SubmitRequest(type="noop", tags=["mine"])] * min(BATCH, jobs - first))
        for operation in OPERATIONS:
            with Others(address, home) as others:
                began = time.monotonic()
                plan = client.bulk.preview(operation, tag="mine")
                planned = time.monotonic()
                client.bulk.run(plan)
                bulk = client.bulk.wait(plan.id, 3600)
                ended = time.monotonic()
            assert (bulk.done, bulk.skipped, bulk.failed, bulk.left) == (jobs, 0, 0, 0), bulk
            reads, writes = (measuring.percentile(waits, 0.99) for waits in (others.reads, others.writes))
            yield Measured(database, operation, jobs, planned - began, ended - planned, reads, writes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    found: list[Measured] = []
    for _ in range(given.rounds):
        if "sqlite" in given.only:
            with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (address, home):
                found += measured("SQLite", address, home, given.jobs)
        if "postgresql" in given.only:
            with measuring.postgres() as postgres, tempfile.TemporaryDirectory() as folder:
                url = measuring.fresh_database(postgres, "jobdeck").replace("postgresql://", "postgresql+psycopg://")
                with served(Path(folder), JOBDECK_DATABASE_URL=url) as (address, home):
                    found += measured("PostgreSQL", address, home, given.jobs)
    report(found)


def report(found: list[Measured]) -> None:
    """A row for each operation on each database: the median of the rounds."""
    rows = []
    for database, operation in dict.fromkeys((m.database, m.operation) for m in found):
        same = [asdict(m) for m in found if (m.database, m.operation) == (database, operation)]
        names = ("preview_seconds", "run_seconds", "read_p99_ms", "write_p99_ms")
        rows.append([database, operation, same[0]["jobs"], *(measuring.median([m[n] for m in same]) for n in names)])
    measuring.table(["database", "operation", "jobs", "preview s", "run s", "others read p99 ms", "write p99 ms"], rows)
    measuring.save("bulk", [asdict(m) for m in found])


if __name__ == "__main__":
    main()
