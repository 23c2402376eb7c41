"""What a job used, as one figure that types of jobs can be compared by."""

from __future__ import annotations

_HOUR = 3600
_GB = 1_000_000_000


def credits_of(running_seconds: float, moved: int, *, per_hour: float, per_gb: float) -> float:
    """Credits of a job that ran for so long and moved so many bytes; waiting and being paused cost nothing."""
    return running_seconds / _HOUR * per_hour + moved / _GB * per_gb
