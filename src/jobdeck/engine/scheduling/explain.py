"""Why jobs wait, for people: the scheduler's own rule over the database as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobdeck.core.claims import Held, Holding
from jobdeck.core.life.waiting import PausedScope, Waiting, WaitReason, obstacles, turn
from jobdeck.engine.scheduling.capacity import Capacities
from jobdeck.engine.scheduling.places import Places
from jobdeck.store.running import leases, workers
from jobdeck.store.scheduling import positions, queue
from jobdeck.store.sql.database import Connection, Row

WORKER_SILENCE = 7.5
"""Seconds of silence after which a worker gets nothing more, with the default lease."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world (core.life.waiting.World) as the database has it at one moment."""

    held: Held
    capacities: Capacities
    places: Places
    paused: Mapping[str, PausedScope]

    def holding(self, resource: str) -> Holding:
        return self.held.of(resource)

    def capacity(self, resource: str) -> int | None:
        return self.capacities.of(resource)

    def can_run(self, type_name: str) -> bool:
        return self.places.can_run(type_name)


async def snapshot(connection: Connection, now: int, project_limit: int | None, silence: float) -> Snapshot:
    """Live leases, limits, workers and paused scopes."""
    held = Held()
    for job, (_, claims) in (await leases.held(connection)).items():
        held.take(job, claims)
    capacities = Capacities(project_limit)
    capacities.replace(await queue.capacities(connection))
    places = Places()
    places.replace(await workers.alive(connection, now - int(silence * 1_000_000)))
    return Snapshot(held, capacities, places, await queue.paused(connection))


async def explain(
    connection: Connection,
    pending: Sequence[Row],
    now: int,
    project_limit: int | None,
    silence: float = WORKER_SILENCE,
) -> dict[int, list[WaitReason]]:
    """The wait reasons of pending jobs: rows with id, project, type, claims, not_before, waits_for_children, order_key.

    `project` is the project's name. Every job gets at least one reason."""
    if not pending:
        return {}
    world = await snapshot(connection, now, project_limit, silence)
    children = await positions.unended_children(connection, [r["id"] for r in pending if r["waits_for_children"]])
    reasons = {r["id"]: list(obstacles(_waiting(r, children.get(r["id"], ())), world, now)) for r in pending}
    ready = [r for r in pending if not reasons[r["id"]]]
    ahead = await positions.ahead(connection, [(r["id"], r["order_key"]) for r in ready])
    for row in ready:
        reasons[row["id"]] = [turn(ahead.get(row["id"]))]
    return reasons


def _waiting(row: Row, children: Iterable[int]) -> Waiting:
    return Waiting(
        row["id"], row["project"], row["type"], leases.claims_of(row["claims"]), row["not_before"], tuple(children)
    )
