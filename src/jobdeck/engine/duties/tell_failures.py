"""Duty: a line in the server's log for each job that fails, whoever ran it."""

from __future__ import annotations

import json
from collections import deque

import structlog

from jobdeck.core.values import clip
from jobdeck.engine.scheduling.scheduler import LEAD_SECONDS, Leadership
from jobdeck.store.sql import events
from jobdeck.store.sql.database import Database
from jobdeck.store.views import measures

log = structlog.get_logger(__name__)

EVERY = 1.0
BATCH = 1000
MAX_TEXT = 1000
_BEHIND = int(2 * LEAD_SECONDS / EVERY)
"""Looks that one who stands by stays behind, so that nothing is untold when the one who led is dead."""


class TellFailures:
    """Follows the events from where it began. Who leads tells; after a change of the lead some may be told again."""

    def __init__(self, database: Database, leadership: Leadership) -> None:
        self._database, self._leadership = database, leadership
        self._told: int | None = None
        self._seen: deque[int] = deque(maxlen=_BEHIND)

    async def __call__(self) -> None:
        """One look."""
        async with self._database.read() as connection:
            last = await events.last_id(connection)
        if self._told is None:
            self._told = last
        if self._leadership.known is None:
            self._seen.append(last)
            self._told = max(self._told, self._seen[0]) if len(self._seen) == _BEHIND else self._told
            return
        self._seen.clear()
        await self._tell(last)

    async def _tell(self, last: int) -> None:
        while self._told is not None and self._told < last:
            async with self._database.read() as connection:
                failed = await measures.failed_since(connection, self._told, BATCH)
            for job in failed:
                data = json.loads(job.data)
                log.warning(
                    "job_failed",
                    job=job.job,
                    type=job.type,
                    project=job.project,
                    code=data.get("code"),
                    error=clip(str(data.get("message") or ""), MAX_TEXT),
                )
            self._told = failed[-1].event_id if len(failed) == BATCH else last
