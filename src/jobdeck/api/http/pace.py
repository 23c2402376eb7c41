"""How many requests one token may make: as many as anybody needs, and not so many that others are kept waiting."""

from __future__ import annotations

import math
from typing import NamedTuple

from cachetools import TLRUCache

BURST = 5000
"""Requests that a token may make at once."""
RATE = 500.0
"""Requests a second that it may make for ever."""
MOST = 10_000
"""Buckets that are remembered; with more, the one that was asked for longest ago is forgotten."""


class _Bucket(NamedTuple):
    """What is left, and when that was (monotonic seconds)."""

    left: float
    at: float


class Pace:
    """A bucket for each token (or whatever else is counted): it holds `burst` requests, and fills by `rate` a second.
    A bucket that has filled up again is as good as a new one and is forgotten."""

    def __init__(self, rate: float = RATE, burst: int = BURST, most: int = MOST) -> None:
        self.rate = rate
        self.burst = burst
        self._now = 0.0
        self._buckets: TLRUCache[int | str, _Bucket] = TLRUCache(most, self._full_at, timer=lambda: self._now)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, token: int | str, now: float) -> int:
        """Count a request of `token` at `now`: 0 if it may be made, else the whole seconds to wait before the next."""
        self._now = now
        left = self._left(token, now)
        self._buckets[token] = _Bucket(left - 1 if left >= 1 else left, now)
        return self._wait(left)

    def _left(self, token: int | str, now: float) -> float:
        bucket = self._buckets.get(token)
        return float(self.burst) if bucket is None else bucket.left + (now - bucket.at) * self.rate

    def _wait(self, left: float) -> int:
        return 0 if left >= 1 else math.ceil((1 - left) / self.rate)

    def _full_at(self, _token: int | str, bucket: _Bucket, now: float) -> float:
        return now + (self.burst - bucket.left) / self.rate
