"""Throughput and pick-up latency of a counted function, through what a user calls, beside peers, all in one run.

    python benchmarks/bench_engine.py [--jobs 20000] [--rounds 3] [--pick-ups 200] [--peers FOLDER] [--only NAME …]

`FOLDER` holds a virtual environment per peer (see benchmarks/peers/README.md); without it peers are left out."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measuring
from pickup import Waits, pick_up
from sites import DEFAULTS, PEERS, OnPostgres, OnSqlite, Site
from sqlalchemy import text

from jobdeck.store.sql.database import Database

import tally  # isort: skip  (found once `sites` has said where)

PEER_NAMES = ("pgqueuer", "oban", "procrastinate", "dbos", "celery", "celery, synced")
"""What stands behind a comma is the same engine set up otherwise."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    jobs: int
    rounds: int
    pick_ups: int
    peers: Path | None
    only: list[str]


def jobdeck_on_postgres(postgres: str, options: Options, workers: int, settings: dict[str, str]) -> dict[str, Any]:
    """Jobs that call a counted function, submitted by the client over HTTP: what a user does, as with the peers."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = OnPostgres(postgres, Path(folder), **settings)
        stack.enter_context(made.server())
        batch = made.submit("tallied", {}, options.jobs)
        for number in range(workers):
            stack.enter_context(made.worker(f"worker{number}"))
        drain = counted(made, options.jobs)
        measuring.settle(postgres)
        waits = asyncio.run(pick_up(made, options.pick_ups)) if workers == 1 else Waits()
    return _figures(drain, batch, waits)


def jobdeck_on_sqlite(options: Options, settings: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        made = OnSqlite(Path(folder), **settings)
        with made.up(workers=0):
            batch = made.submit("tallied", {}, options.jobs)
        with made.up(workers=1):
            drain = counted(made, options.jobs)
            waits = asyncio.run(pick_up(made, options.pick_ups))
    return _figures(drain, batch, waits)


def jobdeck_without_code(postgres: str, options: Options) -> dict[str, Any]:
    """Jobs of the type noop, which have no step and call nothing: what the engine alone costs. Beside no peer."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = OnPostgres(postgres, Path(folder))
        stack.enter_context(made.server())
        batch = made.submit("noop", {}, options.jobs)
        stack.enter_context(made.worker("worker"))
        drain = asyncio.run(drained(made.url, options.jobs))
        measuring.settle(postgres)
        waits = asyncio.run(pick_up(made, options.pick_ups, inside=True))
    return _figures(drain, batch, waits)


def counted(made: Site, jobs: int) -> float:
    """Functions called a second, from the first to the last, counted where they run, as with the peers."""
    tally.FOLDER = made.folder
    return tally.counted(jobs)


async def drained(url: str, jobs: int) -> float:
    """Jobs a second from the first start to the last end, by the database's clock; for those that call nothing."""
    database = Database(url)
    query = text(
        "SELECT count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'failed'),"
        " max(ended_at) - min(started_at) FROM jobs"
    )
    try:
        while True:
            async with database.read() as connection:
                done, failed, took = (await connection.execute(query)).one()
            if failed:
                raise RuntimeError(f"{failed} jobs failed: there is nothing to measure.")
            if done >= jobs:
                return jobs / (took / 1e6)
            await asyncio.sleep(0.3)
    finally:
        await database.close()


def peer(postgres: str, options: Options, name: str, settings: str, workers: int) -> dict[str, Any]:
    """One peer by its script in benchmarks/peers, which speaks: reset, submit N, worker, wait N, latency N."""
    assert options.peers is not None
    engine, _, variant = name.partition(", ")
    python, script = str(options.peers / engine / "bin/python"), str(PEERS / f"{engine}_peer.py")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        counts = Path(folder) / "tally"
        counts.mkdir()
        environment = {"DSN": measuring.fresh_database(postgres, engine), "TALLY": str(counts), "SETTINGS": settings}
        if engine == "celery":
            fsync = "always" if variant else "everysec"
            environment["BROKER"] = stack.enter_context(measuring.redis(Path(folder), fsync))

        def ask(*words: str) -> dict[str, Any]:
            out = subprocess.run(
                [python, script, *words], env={**os.environ, **environment}, check=True, capture_output=True
            )
            lines = out.stdout.decode().strip().splitlines()
            return json.loads(lines[-1]) if lines else {}

        ask("reset")
        batch = ask("submit", str(options.jobs))["rate"]
        for number in range(workers):
            stack.enter_context(
                measuring.process([python, script, "worker"], Path(folder) / f"log{number}", **environment)
            )
        drain = ask("wait", str(options.jobs))["rate"]
        measuring.settle(postgres)
        waits = ask("latency", str(options.pick_ups))["ms"] if workers == 1 else []
    return _figures(drain, batch, Waits(waits))


def bare_postgres(postgres: str, options: Options) -> dict[str, Any]:
    """The same writes by hand: start and end many jobs at once, with one commit for each of the two."""
    url = measuring.fresh_database(postgres, "bare")
    from bare import drain_bare

    return _figures(drain_bare(url, options.jobs), None)


def disk_alone() -> dict[str, Any]:
    """What is below every pick-up: the commit of its start."""
    syncs = measuring.disk_syncs()
    return {
        "drain": None, "submit": None,
        "p50_ms": measuring.percentile(syncs, 0.5), "p99_ms": measuring.percentile(syncs, 0.99),
    }  # fmt: skip


def _figures(drain: float, batch: float | None, waits: Waits | None = None) -> dict[str, Any]:
    return {"drain": drain, "submit": batch, **(waits.figures() if waits else {})}


def _runs(postgres: str, options: Options) -> dict[str, Callable[[], dict[str, Any]]]:
    """Everything there is to measure, by name: like beside like first, then what stands beside no peer."""
    tuned: dict[str, str] = {}
    more = {"JOBDECK_LIGHT_SLOTS": "2000"}
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "jobdeck, PostgreSQL, defaults, 1 worker": lambda: jobdeck_on_postgres(postgres, options, 1, DEFAULTS),
        "jobdeck, PostgreSQL, best, 1 worker": lambda: jobdeck_on_postgres(postgres, options, 1, tuned),
        "jobdeck, PostgreSQL, best, 2 workers": lambda: jobdeck_on_postgres(postgres, options, 2, tuned),
        "jobdeck, PostgreSQL, 2,000 at a time, 1 worker": lambda: jobdeck_on_postgres(postgres, options, 1, more),
        "jobdeck, SQLite, defaults": lambda: jobdeck_on_sqlite(options, DEFAULTS),
        "jobdeck, SQLite, best": lambda: jobdeck_on_sqlite(options, tuned),
    }
    for name in PEER_NAMES if options.peers else ():
        for settings, workers in (("defaults", 1), ("best", 1), ("best", 2)):
            runs[f"{name}, {settings}, {workers} worker{'s' * (workers > 1)}"] = lambda n=name, s=settings, w=workers: (
                peer(postgres, options, n, s, w)
            )
    return runs | {
        "jobdeck, PostgreSQL, jobs without code": lambda: jobdeck_without_code(postgres, options),
        "bare PostgreSQL, the same writes": lambda: bare_postgres(postgres, options),
        "the disk alone, one sync": disk_alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pick-ups", type=int, default=200, help="jobs whose wait is measured, one after another")
    parser.add_argument("--peers", type=Path, default=None)
    parser.add_argument("--only", nargs="*", default=[])
    options = Options(**vars(parser.parse_args()))
    with measuring.postgres() as postgres:
        runs = _runs(postgres, options)
        figures = {}
        for name, run in runs.items():
            if options.only and not any(word in name for word in options.only):
                continue
            try:
                rounds = [run() for _ in range(options.rounds)]
            except (subprocess.CalledProcessError, FileNotFoundError) as error:  # the others still have their figures
                told = (
                    error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else error
                )
                print(name, "failed:", str(told)[-2000:], flush=True)
                continue
            figures[name] = {
                key: measuring.median([r[key] for r in rounds]) if rounds[0][key] is not None else None
                for key in rounds[0]
            }
            print(name, figures[name], flush=True)
    columns = ("drain", "submit", "p50_ms", "p99_ms", "start_p50_ms", "start_p99_ms")
    headers = ["engine", "jobs/s", "batch submit/s", "pick-up p50 ms", "p99 ms", "to its start p50 ms", "p99 ms"]
    measuring.table(headers, [[name, *(f.get(c) for c in columns)] for name, f in figures.items()])
    measuring.save("engine", figures)


if __name__ == "__main__":
    main()
