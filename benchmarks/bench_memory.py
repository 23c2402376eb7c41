"""Memory: of a server that has nothing to do, and whether it stays flat over very many jobs.

    python benchmarks/bench_memory.py [--jobs 1000000]

Resident memory (RSS) by the system; the slope is a straight line through the samples of the second half of the jobs.
At most 15,000 jobs wait at the same time."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measuring
import psutil
import psycopg
from sites import BATCH, OnPostgres, OnSqlite, Site, submit

from jobdeck.store.schema import OPEN_JOBS

TARGET_MB = 150
QUIET_SECONDS = 30.0
"""Free memory is given back every 20 s."""
FLAT = 0.5
"""MB per 100,000 jobs up to which memory counts as flat: 5 MB over a million."""
STEP = 100_000
PROGRESS = 10_000
WAITING = 10_000
"""Jobs that wait when more are submitted: the scheduler has those in its memory, which is not what is asked."""
AT_ONCE = 5 * BATCH
_OPEN_JOBS = f"SELECT count(*) FROM jobs WHERE {OPEN_JOBS}"  # noqa: S608  (a constant of the schema)


def rss(pid: int) -> float:
    """MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def idle(made: Site, pid: int) -> float:
    """MB after some requests and some quiet."""
    with made.client() as client:
        client.health(), client.me(), client.types.list(), list(client.jobs.list())
    time.sleep(QUIET_SECONDS)
    return rss(pid)


def idle_up() -> float:
    with tempfile.TemporaryDirectory() as folder:
        made = OnSqlite(Path(folder))
        with made.up(workers=10):
            pass  # the first start makes the database
        with made.up(workers=10) as pid:
            return idle(made, pid)


def idle_server(postgres: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        made = OnPostgres(postgres, Path(folder))
        with made.server():
            pass
        with made.server() as pid:
            return idle(made, pid)


@dataclass(frozen=True)
class Sample:
    """Memory (MB) when so many jobs had run."""

    jobs: int
    server: float
    worker: float


def drain(postgres: str, jobs: int) -> dict[str, Any]:
    """Server and worker while noop jobs come and go: MB per 100,000 jobs, step by step and as a line."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = OnPostgres(postgres, Path(folder))
        server = stack.enter_context(made.server())
        worker = stack.enter_context(made.worker("worker"))
        rows = stack.enter_context(psycopg.connect(made.url.replace("+psycopg", ""), autocommit=True))
        began, submitted, told = time.monotonic(), 0, 0
        while not samples or samples[-1].jobs < jobs:
            waiting = _open(rows)
            samples.append(Sample(submitted - waiting, rss(server), rss(worker)))
            if samples[-1].jobs >= told + PROGRESS:
                told = samples[-1].jobs
                _tell(samples[-1], jobs, time.monotonic() - began)
            if submitted < jobs and waiting < WAITING:
                asyncio.run(submit(made.url, AT_ONCE))
                submitted += AT_ONCE
            time.sleep(0.2)
    return {"steps": _steps(samples), "server": _line(samples, "server"), "worker": _line(samples, "worker")}


def _open(rows: psycopg.Connection[Any]) -> int:
    """Jobs that have not ended; only those are looked at, however many have."""
    row = rows.execute(_OPEN_JOBS).fetchone()
    assert row is not None
    return int(row[0])


def _tell(sample: Sample, jobs: int, seconds: float) -> None:
    print(
        f"{sample.jobs:>9,} of {jobs:,} jobs: server {sample.server:.1f} MB, worker {sample.worker:.1f} MB, "
        f"{sample.jobs / seconds:,.0f} jobs/s",
        flush=True,
    )


def _steps(samples: list[Sample]) -> list[dict[str, float]]:
    """The medians of each 100,000 jobs."""
    found = []
    for number in range(-(-samples[-1].jobs // STEP)):
        part = [s for s in samples if number * STEP < s.jobs <= (number + 1) * STEP]
        if part:
            figures = {name: statistics.median(getattr(s, name) for s in part) for name in ("server", "worker")}
            found.append({"up_to": part[-1].jobs, **figures})
    return found


def _line(samples: list[Sample], name: str) -> dict[str, float]:
    """First, most and last MB, and MB per 100,000 jobs over the second half of the jobs."""
    late = [s for s in samples if s.jobs >= samples[-1].jobs / 2]
    memory = [getattr(s, name) for s in samples]
    slope = statistics.linear_regression([s.jobs for s in late], [getattr(s, name) for s in late]).slope
    return {"first": memory[0], "most": max(memory), "last": memory[-1], "slope_per_100k": slope * STEP}


def report(jobs: int, found: dict[str, Any]) -> None:
    measuring.table(
        ["jobs up to", "server MB", "worker MB"],
        [[f"{s['up_to']:,}", s["server"], s["worker"]] for s in found["steps"]],
    )
    measuring.table(
        [f"over {jobs:,} jobs", "first MB", "most MB", "last MB", "MB per 100,000 jobs", ""],
        [
            [name, *found[name].values(), "flat" if found[name]["slope_per_100k"] <= FLAT else "GROWS"]
            for name in ("server", "worker")
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    options = parser.parse_args()
    figures: dict[str, Any] = {"idle `jobdeck up`": idle_up()}
    with measuring.postgres() as postgres:
        figures["idle `jobdeck server`"] = idle_server(postgres)
        for name in ("idle `jobdeck up`", "idle `jobdeck server`"):
            print(f"{name}: {figures[name]:.0f} MB (target: {TARGET_MB} at most)", flush=True)
        figures["drain"] = drain(postgres, options.jobs) if options.jobs else None
    if options.jobs:
        report(options.jobs, figures["drain"])
    measuring.save("memory", figures)


if __name__ == "__main__":
    main()
