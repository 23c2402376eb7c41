"""What a task said and nobody has read yet, in order; tells when it grows too long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from jobdeck.core.tasks import TaskMessage

MANY = 2000
"""Unread messages beyond which the task is made to wait."""


class Mailbox:
    """One writer and one reader in the same event loop."""

    def __init__(self) -> None:
        self._messages: deque[TaskMessage] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    @property
    def full(self) -> bool:
        return not self._room.is_set()

    def put(self, message: TaskMessage) -> None:
        if self._closed:
            return
        self._messages.append(message)
        self._news.set()
        if len(self._messages) >= MANY:
            self._room.clear()

    async def room(self) -> None:
        """Return when the reader has caught up."""
        await self._room.wait()

    def close(self) -> None:
        """Nothing follows; the reader ends after what is there."""
        self._closed = True
        self._news.set()
        self._room.set()

    async def read(self) -> AsyncIterator[TaskMessage]:
        while True:
            while self._messages:
                yield self._messages.popleft()
                if len(self._messages) <= MANY // 2:
                    self._room.set()
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()
