"""Procrastinate on a psycopg pool, 30 jobs at a time at its best."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import tally
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["DSN"], min_size=2, max_size=10))
counted = tally.Tally() if sys.argv[1] == "worker" else None


@app.task(name="noop", queue="noop")
async def noop(at: float) -> None:
    assert counted is not None
    counted.ran(at)


async def main(word: str, count: int) -> None:
    async with app.open_async():
        if word == "reset":
            await app.schema_manager.apply_schema_async()
        elif word == "submit":
            began = time.monotonic()
            for first in range(0, count, 1000):
                await noop.batch_defer_async(*[{"at": 0} for _ in range(min(1000, count - first))])
            tally.rate(count, began)
        elif word == "latency":
            await tally.latency(count, lambda at: noop.defer_async(at=at))
        elif word == "worker":
            await app.run_worker_async(queues=["noop"], **({"concurrency": 30} if tally.BEST else {}))


if sys.argv[1] == "wait":
    tally.wait(int(sys.argv[2]))
else:
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
