"""Celery's prefork pool, one process a core, on a Redis that keeps its data on disk (README.md).

A task is acknowledged before it runs, Celery's default and its fastest: what a worker had taken is lost if it dies."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import cache

import tally
from celery import Celery
from celery.signals import worker_process_init

PREFETCH = 128
"""Tasks fetched ahead for each process, as its documentation recommends for short ones."""

app = Celery("celery_peer", broker=os.environ["BROKER"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=PREFETCH if tally.BEST else 4,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@cache
def counted() -> tally.Tally:
    """Made in each process of the pool: a tally is one process's."""
    return tally.Tally()


@worker_process_init.connect
def begin(**_: object) -> None:
    counted()


@app.task(name="noop")
def noop(at: float) -> None:
    counted().ran(at)


def submit(count: int) -> None:
    """There is no bulk call; its documentation has many sends share a connection."""
    began = time.monotonic()
    with app.producer_or_acquire() as producer:
        for _ in range(count):
            noop.apply_async((0,), producer=producer)
    tally.rate(count, began)


def work() -> None:
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"] if tally.BEST else []
    alone = [*quiet, f"--hostname=w{os.getpid()}@%h"]
    app.worker_main(["worker", "--pool=prefork", f"--concurrency={os.cpu_count()}", "--loglevel=warning", *alone])


def main(word: str, count: int) -> None:
    if word == "reset":
        app.control.purge()
    elif word == "submit":
        submit(count)
    elif word == "worker":
        work()
    elif word == "wait":
        tally.wait(count)
    else:
        asyncio.run(tally.latency(count, lambda at: asyncio.to_thread(noop.delay, at)))


main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
