"""Renewing leases: a heartbeat, run in a thread of its own so that no job code or busy event loop starves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from jobdeck.core.tasks import Executor
from jobdeck.engine.loops import Backoff, sleep_unless
from jobdeck.store.running import leases, workers
from jobdeck.store.sql.database import Database, Tx

SAFETY = 1.0
"""Seconds before a lease runs out at which the work under it must be dead."""


class DatabaseTime:
    """The database's time between two looks at it: its last word, and the running loop's steady clock since.

    Call it for µs since 1970 by the database's clock; `hear` what the database said. Until then: this machine's."""

    def __init__(self) -> None:
        self._heard: tuple[int, float] | None = None

    def hear(self, now: int) -> None:
        """May be called from any thread's loop: all of them read one steady clock."""
        self._heard = now, asyncio.get_running_loop().time()

    def __call__(self) -> int:
        if self._heard is None:
            return time.time_ns() // 1000
        said, at = self._heard
        return said + int((asyncio.get_running_loop().time() - at) * 1_000_000)


class Renewal:
    """A loop: the heartbeat of one worker, with its own connection to the database.

    After each beat `heard` is called, in the loop that runs the service, with the worker's id, its state (None: it
    counts as gone) and the loop's time until which the work under its leases may live."""

    name = "lease_renewal"

    def __init__(
        self,
        database: Database,
        worker_id: Callable[[], str],
        lease_seconds: float,
        executor: Executor,
        clock: DatabaseTime,
        heard: Callable[[str, str | None, float], None],
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._executor = executor
        self._clock = clock
        self._heard = heard
        self._until = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        # A connection that hangs must be given up while there is time to renew over another one.
        database = self._database.sibling(patience=max(1.0, self._lease_seconds / 4))
        backoff = Backoff(self.name)
        every = self._lease_seconds / 4
        try:
            while not stop.is_set():
                try:
                    await self._beat(database)
                    backoff.succeeded()
                    await sleep_unless(stop, every)
                except Exception as error:  # noqa: BLE001  (as long as the worker lives it tries to keep its leases)
                    await sleep_unless(stop, min(every, backoff.failed(error)))
        finally:
            await database.close()

    async def _beat(self, database: Database) -> None:
        asked, me = asyncio.get_running_loop().time(), self._worker_id()

        async def work(tx: Tx) -> tuple[int, str | None]:
            await leases.renew(tx, me, self._lease_seconds, steady=asked < self._until)
            return tx.now, await workers.beat(tx, me, self._executor.shortage)

        now, state = await database.transact(work, often=True)
        # Counted from before the request: the lease may have begun at any moment since.
        until = asked + self._lease_seconds - SAFETY
        self._until = until
        self._executor.extend(until)
        self._clock.hear(now)
        self._heard(me, state, until)
