"""100,000 jobs that wait for 10,000 resources: do the one job that can run, and the one that is freed, start at once?

    python benchmarks/bench_blocked.py [--jobs 100000] [--claims 10000] [--database sqlite|postgresql]

Each waiting job claims one of the resources for itself, and each resource has a limit of 0. Measured are the time to
take over such a queue; the pick-up of jobs of the same type that do not wait, on an idle system and with that queue,
each on servers that were just started; and the time from a raised limit to the start of a job that waited for it."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import measuring
from pickup import pick_up
from sites import OnPostgres, OnSqlite, fill
from sqlalchemy import insert, text

from jobdeck.engine.submitting.submit import Submission
from jobdeck.store.schema import limits
from jobdeck.store.sql.database import Database, Tx

LATENCIES = 500
FREED = 100
REST_SECONDS = 20.0
"""For what comes after a start and after filling a database, such as PostgreSQL's vacuum."""


async def block(url: str, jobs: int, claims: int) -> None:
    """The limits, and the jobs that wait for them."""

    async def close_all(tx: Tx) -> None:
        rows = [
            {"resource": f"project:default/{_resource(number)}", "capacity": 0, "set_at": 0} for number in range(claims)
        ]
        await tx.connection.execute(insert(limits), rows)

    database = Database(url)
    await database.transact(close_all)
    await database.close()
    await fill(url, [Submission("tallied", {"write": _object(i % claims)}, 1, "default", 1) for i in range(jobs)])


def _object(number: int) -> str:
    return f"lake/b/t{number}"


def _resource(number: int) -> str:
    return f"object:{_object(number)}"


def freed(made: OnPostgres | OnSqlite, claims: int) -> list[float]:
    """Milliseconds from the call that raises a limit from 0 to 1 until a job that waited for it runs, one by one."""
    found = []
    with made.client() as client:
        for number in range(0, claims, max(1, claims // FREED)):
            began = time.time()
            client.limits.set(_resource(number), 1)
            found.append((asyncio.run(_first_start(made.url, _object(number))) / 1e6 - began) * 1000)
    return found


async def _first_start(url: str, subject: str) -> int:
    """When the first of the jobs with this subject started (µs), as soon as one has."""
    database = Database(url)
    query = text("SELECT min(started_at) FROM jobs WHERE subject = :subject")
    try:
        while True:
            async with database.read() as connection:
                if started := (await connection.execute(query, {"subject": subject})).scalar():
                    return int(started)
            await asyncio.sleep(0.01)
    finally:
        await database.close()


def measure(made: OnPostgres | OnSqlite, jobs: int, claims: int) -> dict[str, Any]:
    """Both times a server that was just started, after one job, and after as long a rest."""
    figures: dict[str, Any] = {}
    for name, waiting in (("idle", 0), ("blocked", jobs)):
        if waiting:
            asyncio.run(block(made.url, waiting, claims))
        with ExitStack() as stack:
            began = time.monotonic()
            _serve(stack, made, name)
            first = asyncio.run(pick_up(made, 1))
            figures |= {f"{name}_start_to_first_job_s": time.monotonic() - began, f"{name}_first_ms": first.to_code[0]}
            time.sleep(REST_SECONDS)
            waits = asyncio.run(pick_up(made, LATENCIES, inside=True))
            figures |= {f"{name}_{key}": value for key, value in waits.figures().items()}
            if waiting:
                starts = freed(made, claims)
                figures |= {f"freed_{label}_ms": measuring.percentile(starts, share) for label, share in _SHARES}
    return figures


_SHARES = (("p50", 0.5), ("p99", 0.99))


def _serve(stack: ExitStack, made: OnPostgres | OnSqlite, name: str) -> None:
    if isinstance(made, OnPostgres):
        stack.enter_context(made.server(f"server, {name}"))
        stack.enter_context(made.worker(f"worker, {name}"))
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
    columns = [f"{when}_{c}" for when in ("idle", "blocked") for c in ("p50_ms", "p99_ms", "start_to_first_job_s")]
    measuring.table(
        ["database", "idle p50 ms", "p99", "start to first job s", "blocked p50 ms", "p99", "start to first job s",
         "freed p50 ms", "p99"],
        [[name, *(f[c] for c in (*columns, "freed_p50_ms", "freed_p99_ms"))] for name, f in figures.items()],
    )  # fmt: skip
    measuring.save("blocked", figures)


if __name__ == "__main__":
    main()
