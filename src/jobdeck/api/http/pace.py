"""How many requests one token may make: as many as anybody needs, and not so many that others are kept waiting."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

BURST = 5000
"""Requests that a token may make at once."""
RATE = 500.0
"""Requests a second that it may make for ever."""


MOST = 10_000
"""Buckets that are remembered; with more, the one that was asked for longest ago is forgotten."""


@dataclass(slots=True)
class Pace:
    """A bucket for each token (or whatever else is counted): it holds `burst` requests, and fills by `rate` a second.
    A bucket that has filled up again is as good as a new one and is forgotten."""

    rate: float = RATE
    burst: int = BURST
    most: int = MOST
    _buckets: OrderedDict[int | str, tuple[float, float]] = field(default_factory=OrderedDict)
    """What is left, and when that was (monotonic seconds); the one asked for longest ago first."""

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, token: int | str, now: float) -> int:
        """Count a request of `token` at `now`: 0 if it may be made, else the whole seconds to wait before the next."""
        left = self._left(token, now)
        self._buckets[token] = (left - 1 if left >= 1 else left, now)
        self._buckets.move_to_end(token)
        self._forget(now)
        return self._wait(left)

    def _left(self, token: int | str, now: float) -> float:
        left, before = self._buckets.get(token, (float(self.burst), now))
        return min(self.burst, left + (now - before) * self.rate)

    def _wait(self, left: float) -> int:
        return 0 if left >= 1 else math.ceil((1 - left) / self.rate)

    def _forget(self, now: float) -> None:
        """The oldest two at most, so that it costs nothing; more come in by one a time."""
        for _ in range(2):
            token, (left, before) = next(iter(self._buckets.items()))
            is_full = left + (now - before) * self.rate >= self.burst
            if not is_full and len(self._buckets) <= self.most:
                return
            del self._buckets[token]
            if not self._buckets:
                return
