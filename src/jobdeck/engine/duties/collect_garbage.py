"""Duty: delete content of the object storage that could not be deleted when nothing referred to it any more."""

from __future__ import annotations

from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.scheduling.scheduler import Leadership

EVERY = 30.0
BATCH = 500


async def collect_garbage(leadership: Leadership, collector: GarbageCollector) -> None:
    """All that is due, if this process leads."""
    while leadership.known is not None:
        if await collector.collect_due(BATCH) < BATCH:
            return
