"""Places for what several projects want at once: no project can hold them all, and whoever holds least is next."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairPlaces:
    """`size` places, of which one owner holds `share` at most."""

    def __init__(self, size: int, share: int) -> None:
        self._free = size
        self._share = share
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}
        self._numbers = itertools.count()

    @asynccontextmanager
    async def place(self, owner: str, patience: float | None = None) -> AsyncIterator[None]:
        """Hold a place; raises TimeoutError when none was to be had within `patience` seconds."""
        await self._take(owner, patience)
        try:
            yield
        finally:
            self._give_back(owner)

    async def _take(self, owner: str, patience: float | None) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append((next(self._numbers), turn))
        self._hand_on()
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it came in the moment in which it was given up
                self._give_back(owner)
            else:
                turn.cancel()
                self._hand_on()
            raise

    def _give_back(self, owner: str) -> None:
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        self._hand_on()

    def _hand_on(self) -> None:
        while self._free and (owner := self._next()) is not None:
            _, turn = self._waiting[owner].popleft()
            self._free -= 1
            self._held[owner] += 1
            turn.set_result(None)

    def _next(self) -> str | None:
        """Of those who wait and may have one more, the one who holds least; among equals, who waits longest."""
        for owner, turns in list(self._waiting.items()):
            while turns and turns[0][1].done():
                turns.popleft()
            if not turns:
                del self._waiting[owner]
        may = [owner for owner in self._waiting if self._held[owner] < self._share]
        return min(may, key=lambda owner: (self._held[owner], self._waiting[owner][0][0]), default=None)
