"""How many requests one token may make: as many as anybody needs, and not so many that others are kept waiting."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

BURST = 5000
"""Requests that a token may make at once."""
RATE = 500.0
"""Requests a second that it may make for ever."""


@dataclass(slots=True)
class Pace:
    """A bucket for each token: it holds `burst` requests, and fills by `rate` a second."""

    rate: float = RATE
    burst: int = BURST
    _buckets: dict[int | str, tuple[float, float]] = field(default_factory=dict)
    """What is left, and when that was (monotonic seconds), by token (or whatever else is counted)."""

    def take(self, token: int | str, now: float) -> int:
        """Count a request of `token` at `now`: 0 if it may be made, else the whole seconds to wait before the next."""
        left = self._left(token, now)
        self._buckets[token] = (left - 1 if left >= 1 else left, now)
        return self._wait(left)

    def wait(self, token: int | str, now: float) -> int:
        """What `take` would answer, without counting anything."""
        return self._wait(self._left(token, now))

    def _left(self, token: int | str, now: float) -> float:
        left, before = self._buckets.get(token, (float(self.burst), now))
        return min(self.burst, left + (now - before) * self.rate)

    def _wait(self, left: float) -> int:
        return 0 if left >= 1 else math.ceil((1 - left) / self.rate)
