"""What was held back, because it can wait for what follows it, is told a little later if nothing does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class DelayedFlush:
    """Calls `tell` when something held back is due. `tell` answers with the seconds until more is, or with None.

    A timer and no task, because most of what is held is told by what follows it."""

    def __init__(self, tell: Callable[[], Awaitable[float | None]], failed: Callable[[], None]) -> None:
        self._tell = tell
        self._failed = failed
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When the timer rings; uvloop's own does not always know."""
        self._telling: asyncio.Task[None] | None = None
        self._next: float | None = None
        """When what came during a telling is due: the telling may have looked before it came."""

    def within(self, seconds: float) -> None:
        """Something is held, and due in `seconds`."""
        if self._closed:
            return
        due = asyncio.get_running_loop().time() + seconds
        if self._telling is not None:
            self._next = due if self._next is None else min(self._next, due)
            return
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._begin)

    async def close(self) -> None:
        """Nothing more is to be told from here on; raises what a telling raised."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None:
            await self._telling

    def _begin(self) -> None:
        self._timer = None
        self._telling = asyncio.create_task(self._run(), name="delayed flush")

    async def _run(self) -> None:
        try:
            more = await self._tell()
        except BaseException:
            self._failed()
            raise
        self._telling = None
        if more is not None:
            self.within(more)
        if self._next is not None:
            came, self._next = self._next, None
            self.within(max(0.0, came - asyncio.get_running_loop().time()))
