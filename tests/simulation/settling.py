"""After the storm: everything that can end does, nothing is held, everyone can go home."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text

from jobdeck.core.life.states import ENDED, State
from jobdeck.engine.scheduling.world import explain
from tests.simulation.database import SimulatedDatabase, SimulatedWakeups
from tests.simulation.virtual_time import Fate

if TYPE_CHECKING:
    from tests.simulation.world import World

_PENDING = text(
    """SELECT j.id, p.name AS project, j.type, j.claims, j.not_before, j.waits_for_children, j.order_key
    FROM jobs j JOIN projects p ON p.id = j.project_id WHERE j.state = 'pending'"""
)
_EXPLAIN_EVERY = 0.3
"""Virtual seconds at least between two looks, which take real time."""
_RESTING = {*(str(s) for s in ENDED), str(State.PAUSED)}


class Settling:
    """Looks at the world from outside."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._database = SimulatedDatabase(world.clock, SimulatedWakeups(lambda _: None))

    async def warm_up(self) -> None:
        await self._database.warm_up()

    async def watch(self) -> None:
        """Until cancelled: when other reasons hold than before, ask the engine why jobs wait, as people would."""
        waits = self._world.waits
        while True:
            await self._world.news.wait()
            self._world.news.clear()
            if waits.to_explain:
                await self.explain()
                await asyncio.sleep(_EXPLAIN_EVERY)

    async def explain(self) -> dict[int, list[str]]:
        """Why every pending job waits, in words; they must be there, and true, at any moment."""
        world, plan = self._world, self._world.plan
        async with self._database.read() as connection:
            now = world.clock.time()
            pending = (await connection.execute(_PENDING)).mappings().all()
            reasons = await explain(connection, pending, now, plan.project_limit, plan.silence)
            # Nothing has happened meanwhile: who asks from outside asks in no time.
            world.waits.check_explained(world.guarantees.facts, now, reasons)
        return {job: [r.text for r in found] for job, found in reasons.items()}

    async def wait(self, seconds: float) -> None:
        """Until nothing moves any more that could; too long is broken."""
        world = self._world
        until = world.loop.time() + seconds
        while unsettled := self._unsettled():
            if world.loop.time() > until:
                why = await self.explain()
                world.broken(f"after {seconds:.0f} calm seconds: {'; '.join(unsettled[:8])}; explained as {why}")
                return
            await asyncio.sleep(0.25)

    def _unsettled(self) -> list[str]:
        world, facts = self._world, self._world.guarantees.facts
        found = [
            f"job {j['id']} is {j['state']}" for j in facts.jobs.values()
            if j["state"] not in _RESTING and not self._waits_for_resting(j["id"])
        ]  # fmt: skip
        found += [f"job {j['id']} is to be resumed" for j in facts.jobs.values() if self._is_due(j)]
        found += [f"job {j} has a lease" for j in facts.leases]
        found += [f"{node} is frozen" for node in world.nodes if node.fate is Fate.FROZEN]
        found += [f"{name} does not reach the database" for name in world.network.down]
        found += [f"{run} is alive" for run in world.guarantees.alive.values()]
        return found + [words for node in world.nodes if (words := node.idle())]

    def _is_due(self, job: object) -> bool:
        return job["state"] == State.PAUSED and job["resume_at"] is not None  # type: ignore[index]

    def _waits_for_resting(self, job_id: int) -> bool:
        """Its own work is done, and what it waits for is paused or waits in the same way."""
        jobs = self._world.guarantees.facts.jobs
        job = jobs[job_id]
        if not (job["state"] == State.PENDING and job["waits_for_children"]) and job["state"] != State.CANCELING:
            return False
        open_children = [c for c in jobs.values() if c["parent_id"] == job_id and c["state"] not in ENDED]
        return bool(open_children) and all(
            c["state"] == State.PAUSED or self._waits_for_resting(c["id"]) for c in open_children
        )

    async def stop_all(self) -> None:
        """Everyone stops in good order, and soon."""
        world = self._world
        world.closing = True
        for node in list(world.nodes):
            node.stop.set()
        for _ in range(80):
            if world.nodes:
                await asyncio.sleep(0.25)
        if world.nodes:
            world.broken(f"{world.nodes} were asked to stop and did not")
