"""Deletes content that nothing refers to any more: at once where that works, and again and again where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from jobdeck.core.errors import JobdeckError
from jobdeck.storage.blobs import Blobs
from jobdeck.store import garbage
from jobdeck.store.garbage import Garbage, Kind
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""Prefixes that are deleted at the same time, where the storage is far away."""
PATIENCE = 60.0
"""Seconds that one of them may take before the others go first."""
CleanStaged = Callable[[str], Awaitable[None]]
"""Removes an attempt's staged files at this prefix that no version of the table shows."""


class GarbageCollector:
    """Deletes what is remembered in the database as garbage. Safe to repeat, and for several processes at once."""

    def __init__(self, database: Database, blobs: Blobs, clean_staged: CleanStaged | None = None) -> None:
        self._database, self._blobs, self._clean_staged = database, blobs, clean_staged

    async def collect(self, ids: Sequence[int]) -> None:
        """Delete what was just entered under `ids`; what cannot be deleted now stays for later, and raises nothing."""
        for first in range(0, len(ids), garbage.AT_ONCE):
            async with self._database.read() as connection:
                found = await garbage.of_ids(connection, ids[first : first + garbage.AT_ONCE])
            await self._delete(found)

    async def collect_due(self, limit: int) -> int:
        """Delete what is due; how many there were."""
        now = await self._database.now()
        async with self._database.read() as connection:
            found = await garbage.due(connection, now, limit)
        await self._delete(found)
        return len(found)

    async def _delete(self, found: Sequence[Garbage]) -> None:
        for first in range(0, len(found), AT_ONCE):
            some = found[first : first + AT_ONCE]
            errors = await asyncio.gather(*map(self._delete_one, some))
            done = [item.id for item, error in zip(some, errors, strict=True) if error is None]
            failed = [(item, error) for item, error in zip(some, errors, strict=True) if error is not None]
            await self._database.transact(lambda tx, done=done: garbage.forget(tx, done))  # type: ignore[misc]
            for item, error in failed:
                log.warning("content_not_deleted", prefix=item.prefix, tries=item.tries + 1, error=error)
                await self._database.transact(lambda tx, i=item, e=error: garbage.failed(tx, i, e))  # type: ignore[misc]

    async def _delete_one(self, item: Garbage) -> str | None:
        """What kept it from being deleted, if anything did."""
        try:
            async with asyncio.timeout(PATIENCE):
                if item.kind is Kind.ALL:
                    await self._blobs.delete_prefix(item.prefix)
                elif self._clean_staged is not None:
                    await self._clean_staged(item.prefix)
        except TimeoutError:
            return f"It took more than {PATIENCE:.0f} s."
        except JobdeckError as error:
            return error.message
        except Exception as error:  # noqa: BLE001  (one prefix must not keep the others from being deleted)
            return type(error).__name__
        return None
