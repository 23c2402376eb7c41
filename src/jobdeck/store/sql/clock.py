"""Time comes from the database, one clock for all machines: from its driver, or from a clock that a test brings."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


class Clock(Protocol):
    """Tells the time of a transaction."""

    async def now(self, connection: AsyncConnection) -> int:
        """µs since 1970 UTC."""
        ...


class SetClock(Clock):
    """A clock that stands where it is put; for tests."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self.time = now

    async def now(self, connection: AsyncConnection) -> int:  # noqa: ARG002
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += int(seconds * 1_000_000)
