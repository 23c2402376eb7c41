"""Why jobs wait, for people: the scheduler's own rule over the database as it is now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jobdeck.core.claims import Held, Holding, is_shared, local_name, qualify
from jobdeck.core.life.endings import Retry
from jobdeck.core.life.waiting import (
    Reason,
    ScopePause,
    Waiting,
    WaitingFor,
    between_tries,
    obstacles,
    seen_by,
    turn,
)
from jobdeck.engine.scheduling.slot_table import Capacities, SlotTable
from jobdeck.store.running import leases, workers
from jobdeck.store.scheduling import positions, queue
from jobdeck.store.sql.database import Connection, Row

WORKER_SILENCE = 7.5
"""Seconds of silence after which a worker gets nothing more, with the default lease."""
LINES = 5
"""Resources of which one answer says who is the next to get them."""


@dataclass(frozen=True, slots=True)
class ToldReason:
    """Of a resource: its limit, the units in use, and the jobs that hold them."""

    capacity: int | None
    used: int
    holders: list[int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world (core.life.waiting.World) as the database has it at one moment."""

    held: Held
    capacities: Capacities
    slots: SlotTable
    paused: Mapping[str, ScopePause]

    def holding(self, resource: str) -> Holding:
        return self.held.of(resource)

    def capacity(self, resource: str) -> int | None:
        return self.capacities.of(resource)

    def told(self, resource: str, viewer: str | None) -> ToldReason:
        """What one bound to the project `viewer` (None: to none) may know of a resource: of one that all projects
        share neither its limit nor what others hold of it."""
        holding = self.held.of(resource)
        if viewer is None or not is_shared(resource):
            return ToldReason(self.capacities.of(resource), holding.used, sorted(holding.units))
        own = seen_by(viewer, holding, self)
        return ToldReason(None, sum(holding.units[job] for job in own), own)

    def can_run(self, type_name: str) -> bool:
        return self.slots.can_run(type_name)

    def has_place(self, type_name: str, isolation: str) -> bool:
        """Whether a worker could take a job of this type and kind just now."""
        return self.slots.find(type_name, isolation) is not None


async def snapshot(connection: Connection, now: int, project_limit: int | None, silence: float) -> Snapshot:
    """Live leases, limits, workers and their places, paused scopes."""
    held = Held()
    for job, (_, claims) in (await leases.held(connection)).items():
        held.take(job, claims)
    capacities = Capacities(project_limit)
    capacities.replace(await queue.capacities(connection))
    slots = SlotTable()
    slots.replace(await workers.alive(connection, now - int(silence * 1_000_000)))
    for job, worker_id, isolation in await leases.taken(connection):
        slots.take(job, worker_id, isolation)
    return Snapshot(held, capacities, slots, await queue.paused(connection))


async def explain(
    connection: Connection,
    pending: Sequence[Row],
    now: int,
    project_limit: int | None,
    silence: float = WORKER_SILENCE,
    viewer: str | None = None,
) -> dict[int, list[WaitingFor]]:
    """The wait reasons of pending jobs: rows with id, project, type, claims, not_before, waits_for_children. `viewer`:
    the one project that the reader may see.

    `project` is the project's name. Every job gets at least one reason: whoever has no obstacle waits for its turn, by
    the places that are free and those who stand before it; once the scheduler has decided, no place is free for it."""
    if not pending:
        return {}
    world = await snapshot(connection, now, project_limit, silence)
    children = await positions.unended_children(connection, [r["id"] for r in pending if r["waits_for_children"]])
    reasons = {r["id"]: list(obstacles(_waiting(r, children), world, now, viewer)) for r in pending}
    losses = {r["id"]: r.get("losses") or 0 for r in pending}
    ready = {r["id"]: r["type"] for r in pending if not reasons[r["id"]]}
    for job, stands in (await positions.standings(connection, list(ready), now)).items():
        has_place = world.has_place(ready[job], stands.isolation)
        reasons[job] = [turn(has_place=has_place, number=stands.number, losses=losses.get(job, 0))]
    await _number(connection, pending, reasons, now)
    return reasons


async def _number(
    connection: Connection, pending: Sequence[Row], reasons: Mapping[int, list[WaitingFor]], now: int
) -> None:
    """Say of the first resource that each job waits for at which place it stands. Of what all projects share there is
    no such place: projects take turns."""
    lines: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in pending:
        missing = next((r for r in reasons[row["id"]] if r.reason is Reason.CLAIM), None)
        if missing is None:
            continue
        names = {local_name(c.resource): c.resource for c in leases.claims_of(row["claims"])}
        resource = names.get(missing.resource or "", "")
        if resource and not is_shared(resource):
            lines[row["project"], resource].append(row["id"])
    for (project, resource), waiting in list(lines.items())[:LINES]:
        has_all = resource == qualify(project, "project")
        for job, number in (await positions.in_line(connection, resource, waiting, now, has_all=has_all)).items():
            first = next(i for i, r in enumerate(reasons[job]) if r.reason is Reason.CLAIM)
            reasons[job][first] = replace(reasons[job][first], number=number)


def _waiting(row: Row, children: Mapping[int, Sequence[int]]) -> Waiting:
    family = tuple(children.get(row["id"], ())) if row["waits_for_children"] else None
    claims = leases.claims_of(row["claims"])
    return Waiting(row["id"], row["project"], row["type"], claims, row["not_before"], family, _failed(row))


def _failed(row: Row) -> str | None:
    """What failed before the next try of the job, if it waits for one."""
    if not row.get("retry"):
        return None
    return between_tries(Retry(**json.loads(row["retry"])), row.get("error_message") or "")
