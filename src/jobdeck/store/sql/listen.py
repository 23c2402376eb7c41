"""Hear of commits of other processes: PostgreSQL's notifications become wake-up calls. SQLite has but one process."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import URL

from jobdeck.store.sql.events import CHANNEL
from jobdeck.store.sql.postgres_connection import NETWORK_BOUNDS
from jobdeck.store.sql.wakeups import Wakeups, heard

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
ALIVE_SECONDS = 10.0


class Listener:
    """A loop; while its connection is broken, the polls of those it wakes take its place."""

    name = "listener"

    def __init__(self, url: URL, wakeups: Wakeups) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._wakeups = wakeups
        self._failures = 0
        """Connections in a row that failed. The first and the end of them are told, not each of an outage."""

    async def run(self, stop: asyncio.Event) -> None:
        listening = asyncio.create_task(self._listen_forever())
        await stop.wait()
        listening.cancel()
        await asyncio.wait([listening])

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001  (losing it costs latency only)
                self._failures += 1
                if self._failures == 1:
                    log.warning("listener_trouble", error=str(error).partition("\n")[0])
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        import psycopg

        connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, **NETWORK_BOUNDS)
        async with await connecting as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._wakeups.call()
            self._recovered()
            while True:
                async for told in connection.notifies(timeout=ALIVE_SECONDS):
                    self._wakeups.call(heard(told.payload))
                # A connection that hangs is as silent as one on which nothing happens.
                async with asyncio.timeout(AGAIN_SECONDS * 5):
                    await connection.execute("SELECT 1")

    def _recovered(self) -> None:
        if self._failures:
            log.info("listener_recovered", after=self._failures)
        self._failures = 0
