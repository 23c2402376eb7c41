"""DBOS Transact: async workflows on a queue, polled ten times a second at its best; also workflows of ten steps."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time

import tally
from dbos import DBOS, DBOSClient

CONFIG = {"name": "bench", "system_database_url": os.environ["DSN"], "application_version": "1", "log_level": "ERROR"}
WORK = {"queue_name": "noop", "workflow_name": "noop", "app_version": "1"}
counted = tally.Tally() if sys.argv[1] == "worker" else None


def launch() -> None:
    DBOS(config=CONFIG)

    @DBOS.workflow(name="noop")
    async def noop(at: float) -> None:
        assert counted is not None
        counted.ran(at)

    DBOS.launch()


def submit(client: DBOSClient, count: int) -> None:
    """There is no bulk call; many enqueues share a transaction, as its documentation shows."""
    began = time.monotonic()
    for first in range(0, count, 1000):
        with client._sys_db.engine.begin() as connection:
            for _ in range(min(1000, count - first)):
                client.enqueue_in_transaction(connection, WORK, 0)
    tally.rate(count, began)


def steps(count: int) -> None:
    """Workflows of ten steps, sixteen at a time: workflows a second, and ms a step one after the other."""
    DBOS(config=CONFIG)

    @DBOS.step()
    def step(number: int) -> int:
        return number

    @DBOS.workflow()
    def ten(steps_: int) -> int:
        return sum(step(i) for i in range(steps_))

    DBOS.launch()
    ten(10)
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: [ten(10) for _ in range(count // 16)]) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"rate": count // 16 * 16 / (time.monotonic() - began)}))
    DBOS.destroy()


def main(word: str, count: int) -> None:
    if word == "reset":
        launch()
        DBOS.register_queue("noop", **({"polling_interval_sec": 0.1} if tally.BEST else {}))
        DBOS.destroy()
    elif word == "worker":
        launch()
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        stop.wait()
        os._exit(0)
    elif word == "steps":
        steps(count)
    else:
        client = DBOSClient(system_database_url=os.environ["DSN"])
        if word == "submit":
            submit(client, count)
        else:
            asyncio.run(tally.latency(count, lambda at: asyncio.to_thread(client.enqueue, WORK, at)))
        client.destroy()


if sys.argv[1] == "wait":
    tally.wait(int(sys.argv[2]))
else:
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
