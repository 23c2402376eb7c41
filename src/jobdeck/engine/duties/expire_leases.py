"""Duty: end the leases of workers that are dead, cut off or stopped, so that their jobs go on elsewhere."""

from __future__ import annotations

import asyncio

import structlog

from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.running import leases
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

EVERY = 1.0
TOLERATED = 0.5
"""Seconds by which the two clocks may differ from look to look. Work is dead a second before its lease is over."""


class ExpireLeases:
    """When the database's clock leaps forward, because it was set or the machine slept, all leases seem to have run out
    though their workers live. So each server compares it with the steady clock of its machine, and after a leap nothing
    expires for the length of a lease: whoever lives renews its leases meanwhile, and the work of the others dies."""

    def __init__(self, database: Database, leadership: Leadership, lease_seconds: float) -> None:
        self._database = database
        self._leadership = leadership
        self._lease_seconds = lease_seconds
        self._looked: tuple[int, float] | None = None
        self._quiet_until = 0.0

    async def __call__(self) -> None:
        """One look; if this process leads, the leases that have run out end."""
        now = await self._look()
        leader = self._leadership.known
        if leader is None or now is None:
            return
        while expired := await leases.expire(self._database, leader, until=now):
            log.warning("leases_expired", jobs=expired[:20], count=len(expired))

    async def _look(self) -> int | None:
        """The database's time; None for a while after it leapt."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        now = await self._database.now()
        answered = clock()
        if self._looked is not None:
            before, then = self._looked
            leap = (now - before) / 1_000_000 - (answered - then)
            if leap > TOLERATED:
                log.warning("clock_leapt", seconds=round(leap, 3))
                self._quiet_until = answered + self._lease_seconds
        self._looked = now, asked
        return now if answered >= self._quiet_until else None
