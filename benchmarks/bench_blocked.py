"""100,000 jobs that wait for 10,000 resources: does the one job that can run start as quickly as on an idle system?

    python benchmarks/bench_blocked.py [--jobs 100000] [--claims 10000] [--database sqlite|postgresql]

Each waiting job claims one of the resources for itself, and each resource has a limit of 0. Measured are the time to
take over such a queue, and the pick-up latency of jobs that do not wait (from commit to start, by the database's clock)
of an idle system and of that queue, each on servers that were just started."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import measuring
from bench_engine import LATENCIES, OnPostgres, OnSqlite, latencies
from sqlalchemy import insert

from jobdeck.core.environment import Environment
from jobdeck.engine.submit import Submission, Submitter
from jobdeck.jobs.registry import load_types
from jobdeck.store.schema import limits
from jobdeck.store.sql.database import Database, Tx

BATCH = 1000
REST_SECONDS = 20.0
"""For what comes after a start and after filling a database, such as PostgreSQL's vacuum."""


async def fill(url: str, jobs: int, claims: int) -> None:
    """The limits, and the jobs that wait for them."""
    database = Database(url)

    async def environments(project: str) -> Environment:
        return Environment(project=project)

    async def close_all(tx: Tx) -> None:
        rows = [{"resource": f"project:default/object:lake/b/t{i}", "capacity": 0, "set_at": 0} for i in range(claims)]
        await tx.connection.execute(insert(limits), rows)

    await database.transact(close_all)
    submitter = Submitter(database, load_types({}), environments)
    for first in range(0, jobs, BATCH):
        batch = [_blocked((first + i) % claims) for i in range(BATCH)]
        await submitter.submit(batch, actor="bench", principal_id=1)
    await database.close()


def _blocked(number: int) -> Submission:
    return Submission("sleep", {"seconds": 0, "write": f"lake/b/t{number}"}, 1, "default", 1)


def measure(made: OnPostgres | OnSqlite, jobs: int, claims: int) -> dict[str, Any]:
    """Both times a server that was just started, after one job, and after as long a rest."""
    figures: dict[str, Any] = {}
    for name, waiting in (("idle", 0), ("blocked", jobs)):
        if waiting:
            with ExitStack() as stack:
                if isinstance(made, OnPostgres):
                    stack.enter_context(made.server("filling"))
                asyncio.run(fill(made.url, waiting, claims))
        with ExitStack() as stack:
            began = time.monotonic()
            _serve(stack, made)
            first = asyncio.run(latencies(made.url, 1))
            figures |= {f"{name}_start_to_first_job_s": time.monotonic() - began, f"{name}_first_ms": first[0]}
            time.sleep(REST_SECONDS)
            waits = asyncio.run(latencies(made.url, LATENCIES))
        figures |= {f"{name}_p50_ms": measuring.percentile(waits, 0.5)}
        figures |= {f"{name}_p99_ms": measuring.percentile(waits, 0.99)}
    return figures


def _serve(stack: ExitStack, made: OnPostgres | OnSqlite) -> None:
    number = len(list(made.folder.iterdir()))
    if isinstance(made, OnPostgres):
        stack.enter_context(made.server(f"server{number}"))
        stack.enter_context(made.worker(f"worker{number}"))
    else:
        stack.enter_context(made.up(workers=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default=None)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for database in [options.database] if options.database else ["postgresql", "sqlite"]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            made = (
                OnPostgres(stack.enter_context(measuring.postgres()), folder)
                if database == "postgresql"
                else OnSqlite(folder)
            )
            figures[database] = measure(made, options.jobs, options.claims)
            print(database, figures[database], flush=True)
    columns = ("p50_ms", "p99_ms", "start_to_first_job_s")
    measuring.table(
        ["database", "idle p50 ms", "p99", "start to first job s", "blocked p50 ms", "p99", "start to first job s"],
        [[name, *(f[f"{when}_{c}"] for when in ("idle", "blocked") for c in columns)] for name, f in figures.items()],
    )
    measuring.save("blocked", figures)


if __name__ == "__main__":
    main()
