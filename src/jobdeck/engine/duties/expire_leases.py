"""Duty: end the leases of workers that are dead, cut off or stopped, so that their jobs go on elsewhere."""

from __future__ import annotations

import structlog

from jobdeck.engine.scheduling.leader import Leadership
from jobdeck.store.running import leases
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

EVERY = 1.0


async def expire_leases(database: Database, leadership: Leadership) -> None:
    """One look, if this process leads."""
    leader = leadership.current
    if leader is None:
        return
    while expired := await leases.expire(database, leader):
        log.warning("leases_expired", jobs=expired[:20], count=len(expired))
