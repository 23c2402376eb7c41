"""When a step that raised is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.core.errors import ErrorInfo

LOSSES_IN_A_ROW = 3
"""Times a job may lose its worker without any progress between before it fails with `worker_lost`."""


_AFTER_LOSS = (1.0, 5.0)
_AFTER_LOSS_FROM_OUTSIDE = (2.0, 60.0)
"""Seconds before a task whose process was lost runs again, so that what is short for a minute fails no job."""


def pause_after_loss(losses: int, *, outside: bool) -> float:
    """Seconds until a task runs again that lost its process `losses` times in a row without progress."""
    pauses = _AFTER_LOSS_FROM_OUTSIDE if outside else _AFTER_LOSS
    return pauses[min(losses, len(pauses)) - 1]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` tries of a task; `backoff` seconds before the second, growing to `longest`."""

    attempts: int = 1
    backoff: float = 1.0
    factor: float = 2.0
    longest: float = 600.0

    def delay_after(self, failures: int, error: ErrorInfo) -> float | None:
        """Seconds to wait after the `failures`-th failure in a row, or None when it is not tried again."""
        if not error.retryable or failures >= self.attempts:
            return None
        exponent = min(failures - 1, 64)
        return float(min(self.longest, self.backoff * self.factor**exponent))


def losses_exhausted(losses: int) -> bool:
    """Whether a job that lost its worker `losses` times in a row without progress fails."""
    return losses >= LOSSES_IN_A_ROW
