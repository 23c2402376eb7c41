"""What the database holds at one moment, read beside the engine and without its code."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jobdeck.core.claims import Claim, Held, Holding
from jobdeck.core.life.waiting import ScopePause

Row = sqlite3.Row
_JOBS = """SELECT id, project_id, type, isolation, state, attempt, epoch, leased, state_since, fraction, parent_id,
    claims, params, not_before, waits_for_children, dirty_since, warnings, intent, result, resume_at, error_code,
    priority, created_at, losses FROM jobs"""


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits and paused scopes as they were from commit `since` on."""

    since: int
    limits: Mapping[str, int]
    paused: Mapping[str, ScopePause]


@dataclass(slots=True)
class Facts:
    """The tables that the guarantees are about; those that a commit did not touch are the ones from before."""

    jobs: dict[int, Row]
    leases: dict[int, Row]
    tasks: dict[tuple[int, int, int, int], Row]
    workers: dict[str, Row]
    rules: Rules
    lead: Row | None
    """Who schedules, and until when (holder, expires_at)."""

    def pending(self) -> list[Row]:
        return [j for j in self.jobs.values() if j["state"] == "pending"]


class Reader:
    """A connection of its own, which sees what is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        self._connection = connection

    def rows(self, query: str, *parameters: Any) -> list[Row]:
        return self._connection.execute(query, parameters).fetchall()

    def facts(self, commit: int, before: Facts | None, touched: set[str]) -> Facts:
        """All of it the first time; then what `touched` says was written, and what goes away with a job."""
        jobs = before.jobs if before and "jobs" not in touched else {r["id"]: r for r in self.rows(_JOBS)}
        leases = before.leases if before and "leases" not in touched and "jobs" not in touched else self._leases()
        tasks = before.tasks if before and "tasks" not in touched and "jobs" not in touched else self._tasks()
        workers = before.workers if before and "workers" not in touched else self._workers()
        rules = before.rules if before and not touched & {"limits", "paused_scopes"} else self._rules(commit)
        lead = before.lead if before and "leadership" not in touched else self._lead()
        return Facts(jobs, leases, tasks, workers, rules, lead)

    def _leases(self) -> dict[int, Row]:
        return {r["job_id"]: r for r in self.rows("SELECT * FROM leases")}

    def _tasks(self) -> dict[tuple[int, int, int, int], Row]:
        query = 'SELECT job_id, attempt, step_index, "index", state, host, cursor, result FROM tasks'
        return {(r[0], r[1], r[2], r[3]): r for r in self.rows(query)}

    def _workers(self) -> dict[str, Row]:
        query = "SELECT id, name, state, slots, light_slots, types, heartbeat_at FROM workers"
        return {r["id"]: r for r in self.rows(query)}

    def _lead(self) -> Row | None:
        return next(iter(self.rows("SELECT holder, expires_at FROM leadership")), None)

    def _rules(self, commit: int) -> Rules:
        limits = dict(tuple(r) for r in self.rows("SELECT resource, capacity FROM limits"))
        scopes = self.rows("SELECT * FROM paused_scopes")
        return Rules(commit, limits, {r["scope"]: ScopePause(r["scope"], r["by"], r["reason"]) for r in scopes})


def claims_of(row: Row) -> tuple[Claim, ...]:
    return _claims(row["claims"])


@lru_cache(maxsize=10_000)
def _claims(text: str) -> tuple[Claim, ...]:
    return tuple(Claim.from_json(c) for c in json.loads(text))


@dataclass(slots=True)
class View:
    """The world (core.life.waiting.World) as rules and leases have it."""

    held: Held
    rules: Rules
    project_limit: int | None
    types: Collection[str] | None = None
    """Those that a live worker can run; None where workers are looked at elsewhere."""

    def holding(self, resource: str) -> Holding:
        return self.held.of(resource)

    def capacity(self, resource: str) -> int | None:
        capacity = self.rules.limits.get(resource)
        if capacity is None and resource.startswith("project:") and "/" not in resource:
            return self.project_limit
        return capacity

    @property
    def paused(self) -> Mapping[str, ScopePause]:
        return self.rules.paused

    def can_run(self, type_name: str) -> bool:
        return self.types is None or type_name in self.types
