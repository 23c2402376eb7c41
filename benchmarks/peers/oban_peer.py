"""Oban for Python (open source) as `oban start` runs it, uvloop and a psycopg pool; 500 jobs at a time, else 10."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import tally
import uvloop
from oban import Oban, worker
from oban.schema import install

counted = tally.Tally() if sys.argv[1] == "worker" else None


@worker(queue="noop")
class Noop:
    """A job that does nothing."""

    async def process(self, job: object) -> None:
        assert counted is not None
        counted.ran(job.args["at"])  # type: ignore[attr-defined]


async def main(word: str, count: int) -> None:
    pool = await Oban.create_pool(os.environ["DSN"], min_size=2, max_size=10)
    if word == "reset":
        await install(pool)
    elif word == "worker":
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with Oban(pool=pool, queues={"noop": 500 if tally.BEST else 10}):
            await stop.wait()
    else:
        oban = Oban(pool=pool)
        if word == "submit":
            began = time.monotonic()
            for first in range(0, count, 1000):
                await oban.enqueue_many(*[Noop.new({"at": 0}) for _ in range(min(1000, count - first))])
            tally.rate(count, began)
        elif word == "latency":
            await tally.latency(count, lambda at: oban.enqueue(Noop.new({"at": at})))
    await pool.close()


if sys.argv[1] == "wait":
    tally.wait(int(sys.argv[2]))
else:
    uvloop.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
