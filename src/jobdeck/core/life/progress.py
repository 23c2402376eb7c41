"""Honest progress: never backwards, agrees with the details, 100 % only when the job succeeded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ALMOST = 0.99
"""The most that a job which has not ended may show."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Units done of units planned."""

    done: int = 0
    total: int | None = None
    """None while the plan is unknown."""
    unit: str = ""
    fraction: float = 0.0
    rate: float | None = None
    """Units per second."""
    eta: int | None = None
    """µs."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step's share."""

    weight: float
    fraction: float
    """The part of it that is done, 0 to 1."""


def fraction_of(done: int, total: int | None) -> float:
    """The part done, 0 to 1; 0 while the total is unknown."""
    if not total:
        return 0.0
    return min(1.0, max(0.0, done / total))


def job_fraction(steps: Iterable[StepProgress], *, before: float = 0.0, succeeded: bool = False) -> float:
    """Weighted steps; not below what was shown `before`, and 1 only for a job that succeeded."""
    if succeeded:
        return 1.0
    weight = done = 0.0
    for step in steps:
        weight += step.weight
        done += step.weight * step.fraction
    return max(before, min(ALMOST, done / weight if weight else 0.0))


def rate(done: int, seconds: float) -> float | None:
    """Units per second of this run, or None where there is nothing to tell from."""
    return done / seconds if seconds > 0 and done > 0 else None


def eta(now: int, fraction: float, running_seconds: float) -> int | None:
    """The estimated end (µs), from how long the part done took; None until 1 % is done."""
    if fraction < 0.01 or running_seconds <= 0:
        return None
    return now + int(running_seconds * (1 - fraction) / fraction * 1_000_000)
