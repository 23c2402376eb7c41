"""`python -m tests.executors.worker FOLDER DEADLINE METHOD…`: a worker without an engine, to be killed by tests.

Starts each method of `Wild` in a process, says `ready` and its guardian's number on standard output, then waits. With a
DEADLINE above 0 it extends its leases by that many seconds, over and over."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from jobdeck.executors.processes import ProcessExecutor
from tests.executors.processes import wild


async def main(folder: Path, deadline: float, methods: list[str]) -> None:
    executor = ProcessExecutor(len(methods))
    if deadline:
        threading.Thread(target=renew, args=(executor, deadline), daemon=True).start()
    tasks = [await executor.start(wild(method, folder)) for method in methods]
    print("ready", executor._guard.pid, flush=True)
    for task in tasks:
        print(await task.outcome(), flush=True)


def renew(executor: ProcessExecutor, deadline: float) -> None:
    while True:
        executor.extend(time.monotonic() + deadline)
        time.sleep(deadline / 10)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
