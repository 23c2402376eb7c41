"""Who goes first among the jobs that can start: fair between projects, then priority with age."""

from __future__ import annotations

LOWEST_PRIORITY, DEFAULT_PRIORITY, HIGHEST_PRIORITY = 0, 5, 9

AGEING = 300_000_000
"""Microseconds of waiting that are worth one step of priority, so that none starves."""


def order_key(queued_at: int, priority: int) -> int:
    """The smaller, the sooner, within one project.

    A step of priority counts as having queued AGEING earlier. So a job gains on later ones of higher priority as it
    ages, while the key itself never changes: a heap or a database index can hold it."""
    return queued_at - priority * AGEING


def share(running: int, weight: float) -> float:
    """How much of its fair part a project uses; the project with the smallest share goes first."""
    return running / weight
