"""Renewing leases from a thread of its own, with its own connection, that no job code or busy event loop can starve."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from jobdeck.core.tasks import Executor
from jobdeck.engine.database_time import DatabaseTime
from jobdeck.engine.service import Trouble, sleep_unless
from jobdeck.store import leases, workers
from jobdeck.store.database import Database, Tx

SAFETY = 1.0
"""Seconds before a lease runs out at which the work under it must be dead."""


class Renewal:
    """The heartbeat of one worker. After each beat `heard` is called, in the thread, with its id and state (None: it counts as gone)."""

    def __init__(
        self, database: Database, worker_id: Callable[[], str], lease_seconds: float, executor: Executor, clock: DatabaseTime,
        heard: Callable[[str, str | None], None],
    ) -> None:  # fmt: skip
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._executor = executor
        self._clock = clock
        self._heard = heard
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="lease-renewal", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it and wait for its end; may be called from the main loop's thread, takes one beat at most."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _main(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        database = self._database.sibling()
        trouble = Trouble("lease_renewal")
        every = self._lease_seconds / 4
        try:
            while not self._stop.is_set():
                try:
                    await self._beat(database)
                    trouble.over()
                    await sleep_unless(self._stop, every)
                except Exception as error:  # noqa: BLE001  (as long as the worker lives it tries to keep its leases)
                    await sleep_unless(self._stop, min(every, trouble.met(error)))
        finally:
            await database.close()

    async def _beat(self, database: Database) -> None:
        asked, me = time.monotonic(), self._worker_id()

        async def work(tx: Tx) -> tuple[int, str | None]:
            await leases.renew(tx, me, self._lease_seconds)
            return tx.now, await workers.beat(tx, me)

        now, state = await database.transact(work)
        # Counted from before the request: the lease may have begun at any moment since.
        self._executor.extend(asked + self._lease_seconds - SAFETY)
        self._clock.hear(now)
        self._heard(me, state)
