"""The columns of the list of jobs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list.

    `sort` is what it is sorted by, `extra` whether it is shown only when asked for. Where there is no room for all of
    them, those with the smallest `yields` give way first; those without one stay at every width."""

    key: str
    label: str
    sort: str | None = None
    extra: bool = False
    yields: int | None = None


COLUMNS = (
    Column("state", "State", "state"),
    Column("id", "ID", yields=6),
    Column("job", "Job", "type"),
    Column("subject", "Subject", yields=5),
    Column("project", "Project", yields=4),
    Column("progress", "Progress"),
    Column("by", "Created by", yields=2),
    Column("queued", "Queued", "created_at", yields=8),
    Column("started", "Started", "started_at", yields=1),
    Column("ended", "Ended", "ended_at", yields=3),
    Column("duration", "Duration", "duration", yields=7),
    Column("waited", "Waited", extra=True, yields=10),
    Column("priority", "Priority", "priority", extra=True, yields=12),
    Column("attempt", "Attempt", extra=True, yields=9),
    Column("tags", "Tags", extra=True, yields=14),
    Column("worker", "Worker", extra=True, yields=13),
    Column("credits", "Credits", extra=True, yields=11),
)
COLUMN_NAMES = frozenset(column.key for column in COLUMNS)
