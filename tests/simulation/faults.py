"""What goes wrong: machines die, freeze, are restarted; the database is away; its clock is set."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from jobdeck.engine.scheduling.scheduler import LEAD_SECONDS
from tests.simulation.machines import Node
from tests.simulation.virtual_time import Fate

if TYPE_CHECKING:
    from tests.simulation.world import World

_LOOK = 0.05
_PATIENCE = 20.0
"""Seconds that a leader stays frozen if nobody takes its place."""


class Faults:
    """Strikes at random until cancelled; `heal` repairs everything."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random

    async def strike(self) -> None:
        world, random = self._world, self._random
        if not world.plan.faults:
            return
        strikes = [self._kill, self._kill, self._freeze, self._freeze, self._restart, self._cut_off, self._outage]
        if world.plan.clock_steps:
            strikes += [self._set_clock, self._set_clock]
        if world.plan.rivals:
            strikes = [self._freeze, self._depose, self._depose, self._depose]
        while True:
            await asyncio.sleep(random.expovariate(1 / world.plan.faults))
            random.choice(strikes)()

    def heal(self) -> None:
        """Nothing fails any more, what is frozen or cut off will soon be back, and there is staff."""
        world = self._world
        world.network.heal()
        for node in world.nodes:
            node.trap = node.snare = node.ambush = None
        for serves, works in ((True, False), (False, True)):
            if not any(n.up and (n.serves if serves else n.works) for n in world.nodes):
                world.add_node(serves=serves, works=works)
        if world.plan.picky_workers:
            world.add_node(serves=False, works=True, picky=False)

    def _victim(self) -> Node | None:
        living = [n for n in self._world.nodes if n.fate is Fate.ALIVE and (n.serves or not self._world.plan.rivals)]
        busy = [n for n in living if n.executor is not None and n.executor.busy]
        if busy and self._random.random() < 0.6:
            return self._random.choice(busy)
        return self._random.choice(living) if living else None

    def _at_any_step(self, node: Node, act: str) -> None:
        """At some await of the machine, not only where time passes; or when it next speaks to the database."""
        do = {"kill": self._world.kill, "freeze": self._world.freeze}[act]
        count = self._random.choice((1, 1, 2, 3, 5, 8, 13))
        if self._random.random() < 0.5:
            node.after_steps(count, lambda: do(node))
        else:
            node.snare = lambda: do(node)

    def _kill(self) -> None:
        victim = self._victim()
        if victim is None:
            return
        self._at_any_step(victim, "kill")
        if self._random.random() < 0.9:
            delay = self._random.choice((0.1, 1.0, 3.0, 8.0))
            self._world.later(delay, lambda: self._replace(victim))

    def _replace(self, dead: Node) -> None:
        if dead.fate is Fate.DEAD:
            self._world.add_node(serves=dead.serves, works=dead.works)

    def _freeze(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._at_any_step(victim, "freeze")
            lease = self._world.plan.lease
            seconds = self._random.choice(
                (0.5, lease - 0.9, lease + 0.5, lease + 2.0, lease * 2, 35.0 if self._world.plan.large else lease * 2)
            )
            self._world.later(seconds, lambda: self._world.thaw(victim))

    def _depose(self) -> None:
        """The leader freezes between a decision and its writing, and goes on when another one leads."""
        leader = self._leader()
        if leader is None or leader.fate is not Fate.ALIVE or leader.ambush is not None:
            return
        busy = [n for n in self._world.nodes if not n.serves and n.executor is not None and n.executor.busy]
        duty = "expire_leases" if busy and self._random.random() < 0.7 else "scheduler"
        if duty == "expire_leases":
            # Something has to run out that it, and then another one, can decide about.
            self._world.freeze(busy[0])
            self._world.later(self._world.plan.lease + LEAD_SECONDS + 2.0, partial(self._world.thaw, busy[0]))
        leader.ambush = (duty, partial(self._hold, leader))

    def _leader(self) -> Node | None:
        lead = self._world.guarantees.facts.lead
        return next((n for n in self._world.nodes if lead is not None and n.name == lead["holder"]), None)

    def _hold(self, leader: Node) -> None:
        self._world.freeze(leader)
        self._release(leader, self._random.choice((0.0, 0.0, 0.0, 0.3, 2.0)), self._world.loop.time() + _PATIENCE)

    def _release(self, deposed: Node, seconds: float, until: float) -> None:
        """Let it go on so many seconds after another one has taken the lead."""
        successor = self._leader()
        if successor is deposed and self._world.loop.time() < until:
            self._world.later(_LOOK, partial(self._release, deposed, seconds, until))
        else:
            self._world.later(seconds, partial(self._world.thaw, deposed))

    def _restart(self) -> None:
        """A rolling restart: asked to stop, and another one started."""
        victim = self._victim()
        if victim is not None and not victim.stop.is_set():
            self._world.note(f"{victim} is asked to stop")
            victim.stop.set()
            self._world.later(0.5, lambda: self._world.add_node(serves=victim.serves, works=victim.works))

    def _cut_off(self) -> None:
        victim = self._victim()
        if victim is not None:
            lease = self._world.plan.lease
            self._down(victim.name, self._random.choice((1.0, lease - 0.5, lease + 1.0, lease * 2)))

    def _outage(self) -> None:
        self._down("*", self._random.choice((0.1, 1.0, 3.0, self._world.plan.lease * 1.2)))

    def _down(self, name: str, seconds: float) -> None:
        world = self._world
        world.note(f"{name} does not reach the database for {seconds} s")
        world.network.down.add(name)
        world.later(seconds, lambda: world.network.down.discard(name))

    def _set_clock(self) -> None:
        step = self._random.choice((-20.0, -3.0, -0.5, 0.5, 3.0, 20.0, 3600.0))
        self._world.set_clock(step)
