"""Memory: of a server that has nothing to do, and whether it stays flat over very many jobs.

    python benchmarks/bench_memory.py [--jobs 200000]

Resident memory (RSS) by the system; the slope is a straight line through the samples of the second half of the run."""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import measuring
import psutil
import psycopg
from bench_engine import BATCH, OnPostgres, OnSqlite, submit

from jobdeck import Client

TARGET_MB = 150
QUIET_SECONDS = 8.0
WAITING = 10_000
"""Jobs that wait at the same time, about: the scheduler has those in its memory, which is not what is asked."""


def rss(pid: int) -> float:
    """MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def idle(log: Path, home: Path, pid: int) -> float:
    """MB after some requests and some quiet."""
    found = re.search(r"Jobdeck serves (\S+)", log.read_text())
    assert found
    with Client(url=found[1], home=home) as client:
        client.health(), client.me(), client.types.list(), list(client.jobs.list())
    time.sleep(QUIET_SECONDS)
    return rss(pid)


def idle_up() -> float:
    with tempfile.TemporaryDirectory() as folder:
        made = OnSqlite(Path(folder))
        with made.up(workers=10) as pid:
            return idle(Path(folder) / "home/log", Path(folder) / "home", pid)


def idle_server(postgres: str) -> float:
    measuring.fresh_database(postgres, "jobdeck")
    with tempfile.TemporaryDirectory() as folder, OnPostgres(postgres, Path(folder)).server() as pid:
        return idle(Path(folder) / "server/log", Path(folder) / "server", pid)


def drain(postgres: str, jobs: int) -> dict[str, Any]:
    """Samples of server and worker while noop jobs come and go: (jobs done, MB, MB)."""
    samples: list[tuple[int, float, float]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = OnPostgres(postgres, Path(folder))
        server = stack.enter_context(made.server())
        worker = stack.enter_context(made.worker("worker"))
        rows = stack.enter_context(psycopg.connect(made.url.replace("+psycopg", ""), autocommit=True))
        submitted = done = 0
        while done < jobs:
            if submitted < jobs and submitted - done < WAITING:
                asyncio.run(submit(made.url, BATCH * 5))
                submitted += BATCH * 5
            row = rows.execute("SELECT count(*) FROM attempts WHERE state = 'succeeded'").fetchone()
            assert row is not None
            done = row[0]
            samples.append((done, rss(server), rss(worker)))
            time.sleep(0.2)
    return {
        "samples": samples[:: max(1, len(samples) // 200)],
        "server": _line(samples, 1),
        "worker": _line(samples, 2),
    }


def _line(samples: list[tuple[int, float, float]], which: int) -> dict[str, float]:
    """First and last MB, and MB per 100,000 jobs over the second half."""
    late = samples[len(samples) // 2 :]
    slope = statistics.linear_regression([s[0] for s in late], [s[which] for s in late]).slope
    return {"first": samples[0][which], "last": samples[-1][which], "slope_per_100k": slope * 100_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200_000)
    options = parser.parse_args()
    figures: dict[str, Any] = {"idle `jobdeck up`": idle_up()}
    with measuring.postgres() as postgres:
        figures["idle `jobdeck server`"] = idle_server(postgres)
        for name in ("idle `jobdeck up`", "idle `jobdeck server`"):
            print(f"{name}: {figures[name]:.0f} MB (target: {TARGET_MB} at most)", flush=True)
        figures["drain"] = drain(postgres, options.jobs) if options.jobs else None
    if options.jobs:
        measuring.table(
            [f"over {options.jobs:,} jobs", "first MB", "last MB", "MB per 100,000 jobs"],
            [[name, *figures["drain"][name].values()] for name in ("server", "worker")],
        )
    measuring.save("memory", figures)


if __name__ == "__main__":
    main()
