"""PgQueuer on an asyncpg pool with uvloop, 500 jobs a dequeue at its best."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time

import asyncpg
import tally
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.queries import Queries


async def main(word: str, count: int) -> None:
    async with asyncpg.create_pool(os.environ["DSN"], min_size=2, max_size=10) as pool:
        driver = AsyncpgPoolDriver(pool)
        queries = Queries(driver)
        if word == "reset":
            await queries.install()
        elif word == "submit":
            began = time.monotonic()
            for first in range(0, count, 1000):
                size = min(1000, count - first)
                await queries.enqueue(["noop"] * size, [b"0"] * size, [0] * size)
            tally.rate(count, began)
        elif word == "latency":
            await tally.latency(count, lambda at: queries.enqueue("noop", json.dumps(at).encode(), 0))
        elif word == "worker":
            await work(driver)


async def work(driver: AsyncpgPoolDriver) -> None:
    counted = tally.Tally()
    queuer = PgQueuer(driver)

    @queuer.entrypoint("noop")
    async def noop(job: object) -> None:
        counted.ran(json.loads(job.payload))  # type: ignore[attr-defined]

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queuer.shutdown.set)
    await queuer.run(**({"batch_size": 500} if tally.BEST else {}))


if sys.argv[1] == "wait":
    tally.wait(int(sys.argv[2]))
else:
    uvloop.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
