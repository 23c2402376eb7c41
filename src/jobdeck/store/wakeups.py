"""Wake-up calls: something was committed, look now and not at the next poll. Losing one costs a poll."""

from __future__ import annotations

import asyncio


class Wakeups:
    """Any number of sleepers; `call` may come from any thread."""

    def __init__(self) -> None:
        self._sleepers: dict[Wakeup, asyncio.AbstractEventLoop] = {}

    def subscribe(self) -> Wakeup:
        """A new sleeper on the running loop."""
        sleeper = Wakeup(self)
        self._sleepers[sleeper] = asyncio.get_running_loop()
        return sleeper

    def drop(self, sleeper: Wakeup) -> None:
        self._sleepers.pop(sleeper, None)

    def call(self) -> None:
        for sleeper, loop in list(self._sleepers.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(sleeper.ring)


class Wakeup:
    """One sleeper: `wait` returns at the next call, at once if one came since the last wait."""

    def __init__(self, owner: Wakeups) -> None:
        self._owner = owner
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Whether a call came within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self._event.clear()
        return True

    def close(self) -> None:
        self._owner.drop(self)
