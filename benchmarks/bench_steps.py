"""Steps: what recording one costs, and jobs of ten steps a second, beside DBOS.

    python benchmarks/bench_steps.py [--jobs 500] [--rounds 3] [--peers FOLDER]

Scheduler and worker run in this process, on the loop that `jobdeck up` has, on PostgreSQL and on SQLite; the steps do
nothing, in threads. A checkpoint is a write of a running job: from the call until its commit is known."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import measuring
import uvloop
from sqlalchemy import text

from jobdeck.access.first_admin import first_admin
from jobdeck.config import Config
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.loops import Loops
from jobdeck.engine.submitting.submit import Submission, Submitter
from jobdeck.engine.worker import recorder
from jobdeck.wiring import Foundation, open_installation, scheduling, working

STEPS = 10
ALONE = 50
PEERS = Path(__file__).with_name("peers")


def _step(number: int) -> Callable[[JobType, Any], int]:
    def work(_self: JobType, run: Any) -> int:
        assert run is not None
        return 1

    work.__name__ = f"s{number}"
    return step(work)


Ten: type[JobType] = type(
    "Ten",
    (JobType,),
    {"__doc__": "Ten steps that do nothing.", "name": "ten", "isolation": "thread", "__module__": __name__}
    | {f"s{number}": _step(number) for number in range(STEPS)},
)


class Checkpoints:
    """Times each write of the recorder."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self._plain = recorder.Recorder.write

    def __enter__(self) -> Self:
        plain = self._plain

        async def timed(this: recorder.Recorder, *arguments: Any) -> None:
            began = time.perf_counter()
            await plain(this, *arguments)
            self.ms.append((time.perf_counter() - began) * 1000)

        recorder.Recorder.write = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        recorder.Recorder.write = self._plain  # type: ignore[method-assign]


async def measure(config: Config, jobs: int) -> dict[str, float]:
    """Jobs a second when many run at once, and ms of a checkpoint while one job runs alone."""
    laid = await open_installation(config)
    base = replace(laid, registry=TypeRegistry([RegisteredType("ten", f"{__name__}:Ten", Ten)]))
    await first_admin(base.database, config.home)
    services = Loops([*working(base), *scheduling(base)])
    await services.start()
    try:
        await _run(base, 10)
        with Checkpoints() as checkpoints:
            for _ in range(ALONE):
                await _run(base, 1)
        began = time.perf_counter()
        await _run(base, jobs)
        rate = jobs / (time.perf_counter() - began)
    finally:
        await services.stop()
        await base.database.close()
    return {
        "rate": rate,
        "checkpoint_p50_ms": measuring.percentile(checkpoints.ms, 0.5),
        "checkpoint_p99_ms": measuring.percentile(checkpoints.ms, 0.99),
    }


async def _run(base: Foundation, jobs: int) -> None:
    submitter = Submitter(base.database, base.registry, base.environments.of, seals=base.seals)
    ids = await submitter.submit([Submission("ten", {}, 1, "default", 1)] * jobs, actor="bench", principal_id=1)
    query = text("SELECT count(*) FROM jobs WHERE id BETWEEN :first AND :last AND state = 'succeeded'")
    while True:
        async with base.database.read() as connection:
            done = (await connection.execute(query, {"first": ids[0], "last": ids[-1]})).scalar()
        if done == jobs:
            return
        await asyncio.sleep(0.02)


def jobdeck(url: str, jobs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        config = Config(home=Path(home), database_url=url, project_limit=100_000, light_slots=200, workers=1)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            return loop.run(measure(config, jobs))


def dbos(postgres: str, folder: Path, jobs: int) -> dict[str, float]:
    command = [str(folder / "dbos/bin/python"), str(PEERS / "dbos_peer.py"), "steps", str(jobs)]
    environment = {**os.environ, "DSN": measuring.fresh_database(postgres, "dbos")}
    with tempfile.TemporaryDirectory() as tally:
        out = subprocess.run(command, env={**environment, "TALLY": tally}, check=True, capture_output=True)
    return {"rate": json.loads(out.stdout.decode().strip().splitlines()[-1])["rate"]}


def disk_alone() -> dict[str, float]:
    """What is below every checkpoint."""
    syncs = measuring.disk_syncs()
    return {
        "checkpoint_p50_ms": measuring.percentile(syncs, 0.5),
        "checkpoint_p99_ms": measuring.percentile(syncs, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=None)
    options = parser.parse_args()
    with measuring.postgres() as postgres:
        runs = {
            "jobdeck, PostgreSQL": lambda: jobdeck(measuring.fresh_database(postgres, "steps"), options.jobs),
            "jobdeck, SQLite": lambda: jobdeck("", options.jobs),
            "the disk alone, one sync": disk_alone,
        }
        if options.peers:
            runs["dbos, PostgreSQL"] = lambda: dbos(postgres, options.peers, options.jobs)
        figures = {}
        for name, run in runs.items():
            rounds = [run() for _ in range(options.rounds)]
            figures[name] = {key: measuring.median([r[key] for r in rounds]) for key in rounds[0]}
            print(name, figures[name], flush=True)
    columns = ("rate", "checkpoint_p50_ms", "checkpoint_p99_ms")
    measuring.table(
        ["engine", f"jobs of {STEPS} steps/s", "checkpoint p50 ms", "p99 ms"],
        [[name, *(f.get(c) for c in columns)] for name, f in figures.items()],
    )
    measuring.save("steps", figures)


if __name__ == "__main__":
    main()
