"""Reads ahead what filters, searches and orders look at, so that the first person who asks does not wait for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.segments.archive import Archive, Segment
from jobdeck.store.segments.layout import FACETS, NUMBERS, TEXTS

AT_ONCE = 4
"""Segments that are read between two looks at whether anybody else wants to."""
SHARE = 0.75
"""Of what the archive keeps, at most so much is read ahead: the rest is for what is asked for besides."""
GROUPS: tuple[tuple[str, ...], ...] = (("state", *TEXTS), (*FACETS, "tags", "runs"), tuple(NUMBERS))
"""Columns in the order in which they are read: a search is what takes longest without them."""


class Warmer:
    """Reads each version of a segment ahead once; what was dropped since for want of room is not read again."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._done: set[tuple[int, int, int]] = set()

    async def step(self, connection: AsyncConnection) -> bool:
        """Read the next few columns, the newest segments first; whether there were any."""
        segments = await self._archive.sealed(connection)
        following = next(self._left(segments), None) if self._archive.fullness < SHARE else None
        if following is None:
            return False
        group, part = following
        await self._archive.columns(connection, part, GROUPS[group])
        self._done |= {(segment.number, segment.version, group) for segment in part}
        return True

    def _left(self, segments: Sequence[Segment]) -> Iterator[tuple[int, list[Segment]]]:
        for group in range(len(GROUPS)):
            unread = [s for s in segments if (s.number, s.version, group) not in self._done]
            if unread:
                yield group, unread[:AT_ONCE]
