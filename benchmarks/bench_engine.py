"""Throughput and pick-up latency of the engine, beside peers and the bare database, all in one run.

    python benchmarks/bench_engine.py [--jobs 20000] [--rounds 3] [--peers FOLDER] [--only NAME …]

`FOLDER` holds a virtual environment per peer (see benchmarks/peers/README.md); without it peers are left out."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import measuring
from sqlalchemy import text

from jobdeck.core.environment import Environment
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.submit import Submission, Submitter
from jobdeck.jobs.registry import GROUP, load_types
from jobdeck.store.sql.database import Database

PEERS = Path(__file__).with_name("peers")
sys.path.append(str(PEERS))
import jobdeck_types  # noqa: E402
import tally  # noqa: E402

PEER_NAMES = ("pgqueuer", "oban", "procrastinate", "dbos", "celery", "celery, synced")
"""What stands behind a comma is the same engine set up otherwise."""
AT_A_TIME = 500
"""Jobs that one worker runs at the same time; as many as its peers are given."""
BATCH = 1000
LATENCIES = 200


class Waits(NamedTuple):
    """Milliseconds of each job."""

    to_code: Sequence[float] = ()
    to_start: Sequence[float] = ()
    """Until the scheduler gave it to a worker."""


NO_WAITS = Waits()


@dataclass(frozen=True)
class Options:
    """What to measure."""

    jobs: int
    rounds: int
    peers: Path | None
    only: list[str]


def with_tallied(folder: Path) -> dict[str, str]:
    """What a process needs to know the job type `tallied`, which notes when its code runs, in `folder`."""
    info = folder / "tallied-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tallied\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntallied = jobdeck_types:Tallied\n")
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(PEERS))), "TALLY": str(folder)}


class OnPostgres:
    """Jobdeck as on many machines: one server, some workers, PostgreSQL."""

    def __init__(self, postgres: str, folder: Path) -> None:
        self.folder = folder
        self.url = measuring.fresh_database(postgres, "jobdeck").replace("postgresql://", "postgresql+psycopg://")
        self._settings = {
            "JOBDECK_DATABASE_URL": self.url, "JOBDECK_PROJECT_LIMIT": "100000", "JOBDECK_LIGHT_SLOTS": str(AT_A_TIME),
            "JOBDECK_WORKERS": "1", "JOBDECK_LOG_LEVEL": "warning", **with_tallied(folder),
        }  # fmt: skip

    @contextmanager
    def server(self, name: str = "server") -> Iterator[int]:
        home = self.folder / name
        home.mkdir()
        log = home / "log"
        with measuring.process(
            measuring.jobdeck("server", "--home", str(home), "--port", "0"), log, **self._settings
        ) as started:
            measuring.until(lambda: "Jobdeck serves" in log.read_text(), "the server serves")
            yield started.pid

    @contextmanager
    def worker(self, name: str) -> Iterator[int]:
        home = self.folder / name
        home.mkdir()
        log = home / "log"
        with measuring.process(measuring.jobdeck("worker", "--home", str(home)), log, **self._settings) as started:
            yield started.pid


class OnSqlite:
    """Jobdeck as on one machine: one process, SQLite. It is opened a second time only to submit and to look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder / "home"
        self._home.mkdir()
        self.url = f"sqlite+aiosqlite:///{self._home / 'jobdeck.db'}"

    @contextmanager
    def up(self, workers: int) -> Iterator[int]:
        log = self._home / "log"
        settings = {
            "JOBDECK_PROJECT_LIMIT": "100000",
            "JOBDECK_LIGHT_SLOTS": str(AT_A_TIME),
            "JOBDECK_LOG_LEVEL": "warning",
        }
        command = measuring.jobdeck("up", "--home", str(self._home), "--port", "0", "--workers", str(workers))
        with measuring.process(command, log, **settings) as started:
            measuring.until(lambda: "Jobdeck serves" in log.read_text(), "the server serves")
            yield started.pid


async def submit(url: str, jobs: int) -> float:
    """Jobs a second, submitted in batches through the engine's own submit."""
    database = Database(url)

    async def environments(project: str) -> Environment:
        return Environment(project=project)

    submitter = Submitter(database, load_types({}), environments)
    batch = [Submission("noop", {}, 1, "default", 1)] * BATCH
    began = time.monotonic()
    for _ in range(jobs // BATCH):
        await submitter.submit(batch, actor="bench", principal_id=1)
    took = time.monotonic() - began
    await database.close()
    return jobs / took


async def drained(url: str, jobs: int) -> float:
    """Jobs a second from the first start to the last end, by the database's clock."""
    database = Database(url)
    query = text("SELECT count(*), max(ended_at) - min(started_at) FROM jobs WHERE state = 'succeeded'")
    try:
        while True:
            async with database.read() as connection:
                done, took = (await connection.execute(query)).one()
            if done >= jobs:
                return jobs / (took / 1e6)
            await asyncio.sleep(0.3)
    finally:
        await database.close()


async def latencies(url: str, count: int, folder: Path) -> Waits:
    """How long jobs wait on an idle system, in milliseconds: from the call that submits one to its own code, measured
    as with the peers; and by the database's clock from the submitting transaction to the one that starts it."""
    tally.FOLDER = folder
    database = Database(url)

    async def environments(project: str) -> Environment:
        return Environment(project=project)

    types = TypeRegistry([RegisteredType("tallied", "jobdeck_types:Tallied", jobdeck_types.Tallied)])
    submitter = Submitter(database, types, environments)

    async def send(at: float) -> None:
        job = Submission("tallied", {"at": at}, 1, "default", 1)
        await submitter.submit([job], actor="bench", principal_id=1)

    to_code = await tally.latencies(count, send)
    newest = text("SELECT (started_at - created_at) / 1000.0 FROM jobs ORDER BY id DESC LIMIT :count")
    async with database.read() as connection:
        to_start = [float(ms) for ms in (await connection.execute(newest, {"count": count})).scalars()]
    await database.close()
    return Waits(to_code, to_start)


def jobdeck_on_postgres(postgres: str, options: Options, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = OnPostgres(postgres, Path(folder))
        stack.enter_context(made.server())
        batch = asyncio.run(submit(made.url, options.jobs))
        for number in range(workers):
            stack.enter_context(made.worker(f"worker{number}"))
        drain = asyncio.run(drained(made.url, options.jobs))
        measuring.settle(postgres)
        waits = asyncio.run(latencies(made.url, LATENCIES, Path(folder))) if workers == 1 else Waits()
    return _figures(drain, batch, waits)


def jobdeck_on_sqlite(options: Options) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        made = OnSqlite(Path(folder))
        with made.up(workers=0):
            batch = asyncio.run(submit(made.url, options.jobs))
        with made.up(workers=1):
            drain = asyncio.run(drained(made.url, options.jobs))
    return _figures(drain, batch)


def peer(postgres: str, options: Options, name: str, workers: int) -> dict[str, Any]:
    """One peer by its script in benchmarks/peers, which speaks: reset, submit N, worker, wait N, latency N."""
    assert options.peers is not None
    engine, _, variant = name.partition(", ")
    python, script = str(options.peers / engine / "bin/python"), str(PEERS / f"{engine}_peer.py")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        tally = Path(folder) / "tally"
        tally.mkdir()
        environment = {"DSN": measuring.fresh_database(postgres, engine), "TALLY": str(tally)}
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
        waits = ask("latency", str(LATENCIES))["ms"] if workers == 1 else []
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


def _figures(drain: float, batch: float | None, waits: Waits = NO_WAITS) -> dict[str, Any]:
    figures: dict[str, Any] = {"drain": drain, "submit": batch}
    for name, found in (("", waits.to_code), ("start_", waits.to_start)):
        if found:
            figures |= {
                f"{name}p50_ms": measuring.percentile(found, 0.5),
                f"{name}p99_ms": measuring.percentile(found, 0.99),
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=None)
    parser.add_argument("--only", nargs="*", default=[])
    options = Options(**vars(parser.parse_args()))
    with measuring.postgres() as postgres:
        runs: dict[str, Callable[[], dict[str, Any]]] = {
            "jobdeck, PostgreSQL, 1 worker": lambda: jobdeck_on_postgres(postgres, options, 1),
            "jobdeck, PostgreSQL, 2 workers": lambda: jobdeck_on_postgres(postgres, options, 2),
            "jobdeck, SQLite": lambda: jobdeck_on_sqlite(options),
            "bare PostgreSQL, the same writes": lambda: bare_postgres(postgres, options),
            "the disk alone, one sync": disk_alone,
        }
        for name in PEER_NAMES if options.peers else ():
            for workers in (1, 2):
                runs[f"{name}, {workers} worker{'s' * (workers > 1)}"] = lambda n=name, w=workers: peer(
                    postgres, options, n, w
                )
        figures = {}
        for name, run in runs.items():
            if options.only and not any(word in name for word in options.only):
                continue
            try:
                rounds = [run() for _ in range(options.rounds)]
            except subprocess.CalledProcessError as error:  # of a peer: the others still have their figures
                print(name, "failed:", (error.stderr or b"").decode(errors="replace")[-2000:], flush=True)
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
