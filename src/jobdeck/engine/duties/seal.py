"""Duty: keep the columns of ended jobs for lists and counts, a segment of ids at a time."""

from __future__ import annotations

import asyncio

from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.segments.sealing import Sealer

EVERY = 2.0
BREATH = 0.05
"""Seconds between two segments: others come first."""
AT_ONCE = 100
"""Segments of one round."""


async def seal(leadership: Leadership, sealer: Sealer) -> None:
    """What is to be sealed, if this process leads."""
    for _ in range(AT_ONCE):
        if leadership.known is None or not await sealer():
            return
        await asyncio.sleep(BREATH)
