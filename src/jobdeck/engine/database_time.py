"""The database's time between two looks at it: its last word, and this machine's steady clock since."""

from __future__ import annotations

import time


class DatabaseTime:
    """Call it for µs since 1970 by the database's clock; `hear` what the database said."""

    def __init__(self) -> None:
        self._said = time.time_ns() // 1000
        self._heard = time.monotonic_ns()

    def hear(self, now: int) -> None:
        self._said, self._heard = now, time.monotonic_ns()

    def __call__(self) -> int:
        return self._said + (time.monotonic_ns() - self._heard) // 1000
