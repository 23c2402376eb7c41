"""Wake-up calls: something was committed, look now and not at the next poll. Losing one costs a poll."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

Called = Collection[str] | None
"""The names of those who are called, None: all. Whoever has no name looks on, and is always called."""

SCHEDULER = "scheduler"
"""The name of schedulers; that of a worker is its id."""

_LONGEST = 4000
_ONLY = "only:"


def announcement(called: Called) -> str:
    """`called` as a text that other processes hear."""
    text = "" if called is None else _ONLY + ",".join(sorted(called))
    return text if len(text) <= _LONGEST else ""


def heard(text: str) -> Called:
    """What `announcement` wrote."""
    return text.removeprefix(_ONLY).split(",") if text.startswith(_ONLY) else None


class Wakeups:
    """Any number of sleepers; `call` may come from any thread."""

    def __init__(self) -> None:
        self._sleepers: dict[Wakeup, asyncio.AbstractEventLoop] = {}

    def subscribe(self, name: str | None = None) -> Wakeup:
        """A new sleeper on the running loop; with a `name`, one that calls for others leave asleep."""
        sleeper = Wakeup(self, name)
        self._sleepers[sleeper] = asyncio.get_running_loop()
        return sleeper

    def drop(self, sleeper: Wakeup) -> None:
        self._sleepers.pop(sleeper, None)

    def call(self, names: Called = None) -> None:
        for sleeper, loop in list(self._sleepers.items()):
            if sleeper.is_meant(names) and not loop.is_closed():
                loop.call_soon_threadsafe(sleeper.ring)


class Wakeup:
    """One sleeper: `wait` returns at the next call, at once if one came since the last wait.

    `name`: of the worker or scheduler that it is for, None if it is for somebody who looks on."""

    def __init__(self, owner: Wakeups, name: str | None) -> None:
        self._owner = owner
        self.name = name
        self._event = asyncio.Event()

    def is_meant(self, names: Called) -> bool:
        return names is None or self.name is None or self.name in names

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
