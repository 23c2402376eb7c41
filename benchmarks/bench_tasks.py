"""Tasks of one step: what each costs among 100 and among 10,000, and beside large results of the step before.

    python benchmarks/bench_tasks.py [--most 10000] [--processes]

Scheduler and worker run in this process, on SQLite; the tasks do nothing."""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop
from pydantic import BaseModel
from sqlalchemy import text

from jobdeck.access.first_admin import first_admin
from jobdeck.config import Config
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.loops import Loops
from jobdeck.engine.submitting.submit import Submission, Submitter
from jobdeck.wiring import Foundation, open_installation, scheduling, working


class Many(JobType):
    """One large result, then many tasks."""

    name = "many"
    isolation = "thread"

    class Params(BaseModel):
        """How many tasks, and how large the result before them is."""

        tasks: int
        size: int = 0

    @step
    def before(self, run: Any) -> str:
        assert run is not None
        return "x" * self.params.size

    @step(each=lambda params: list(range(params.tasks)))
    def each(self, run: Any, part: int) -> int:
        assert run is not None
        return part


class ManyProcesses(Many):
    """The same in processes."""

    name = "many-processes"
    isolation = "process"


async def measure(config: Config, kind: type[Many], most: int) -> None:
    laid = await open_installation(config)
    base = replace(laid, registry=TypeRegistry([RegisteredType(kind.name, f"bench_tasks:{kind.__name__}", kind)]))
    await first_admin(base.database, config.home)
    services = Loops([*working(base), *scheduling(base)])
    await services.start()
    try:
        await _run(base, kind, {"tasks": 100})
        for tasks, size in ((100, 0), (1000, 0), (most, 0), (1000, 1_000_000)):
            began = time.perf_counter()
            await _run(base, kind, {"tasks": tasks, "size": size})
            spent = (time.perf_counter() - began) / tasks * 1000
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"{tasks:>6} tasks, a result of {size:>7} bytes before: {spent:6.3f} ms a task; peak {peak} MiB")
    finally:
        await services.stop()
        await base.database.close()


async def _run(base: Foundation, kind: type[Many], params: dict[str, int]) -> None:
    submitter = Submitter(base.database, base.registry, base.environments.of, seals=base.seals)
    (job,) = await submitter.submit(
        [Submission(kind.name, params, 1, "default", 1)], actor="bench", principal_id=1
    )  # fmt: skip
    query = text("SELECT state FROM jobs WHERE id = :job")
    while True:
        async with base.database.read() as connection:
            state = (await connection.execute(query, {"job": job})).scalar()
        if state in ("succeeded", "failed"):
            assert state == "succeeded"
            return
        await asyncio.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=10_000)
    parser.add_argument("--processes", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        config = Config(home=Path(home), project_limit=1000, light_slots=200, workers=4, parallel=4)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(measure(config, ManyProcesses if options.processes else Many, options.most))


if __name__ == "__main__":
    main()
