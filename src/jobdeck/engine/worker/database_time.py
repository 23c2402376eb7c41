"""The database's time between two looks at it: its last word, and the running loop's steady clock since."""

from __future__ import annotations

import asyncio
import time


class DatabaseTime:
    """Call it for µs since 1970 by the database's clock; `hear` what the database said. Until then: this machine's."""

    def __init__(self) -> None:
        self._heard: tuple[int, float] | None = None

    def hear(self, now: int) -> None:
        """May be called from any thread's loop: all of them read one steady clock."""
        self._heard = now, asyncio.get_running_loop().time()

    def __call__(self) -> int:
        if self._heard is None:
            return time.time_ns() // 1000
        said, at = self._heard
        return said + int((asyncio.get_running_loop().time() - at) * 1_000_000)
