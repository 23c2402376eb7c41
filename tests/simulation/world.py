"""One simulated world: machines, people and faults over one database and one virtual time, all made from a seed."""

from __future__ import annotations

import asyncio
import itertools
import random as global_random
import sqlite3
import uuid
import zlib
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from jobdeck.store.sql.wakeups import Called
from tests.simulation.apart import Apart
from tests.simulation.database import SimulatedClock, empty_database
from tests.simulation.decisions import Knew
from tests.simulation.driver import Server
from tests.simulation.executor import Life
from tests.simulation.facts import Reader
from tests.simulation.faults import Faults
from tests.simulation.guarantees import Guarantees
from tests.simulation.machines import Node
from tests.simulation.network import SimulatedNetwork
from tests.simulation.people import Person
from tests.simulation.plan import Plan
from tests.simulation.settling import Settling
from tests.simulation.virtual_time import CURRENT, START, Fate, Machine, VirtualLoop
from tests.simulation.waiting import Waits

END_WITHIN = 600.0
"""Virtual seconds after the last fault within which everything that can end must have ended."""


class Broken(Exception):
    """A guarantee does not hold."""


class World:
    """Everything there is. `note` is told what happens, if anybody wants to read it."""

    def __init__(self, plan: Plan, folder: Path, *, verbose: bool) -> None:
        self.plan = plan
        self.verbose = verbose
        self.loop = VirtualLoop()
        self.random = Random(f"{plan.seed} world")
        self.clock = SimulatedClock(self.loop.time, self._clock_read)
        self.network = SimulatedNetwork(self, Random(f"{plan.seed} network"))
        self.life = Life()
        self.nodes: list[Node] = []
        self._ever: list[Node] = []
        self.digest = 0
        self.closing = False
        """No machine is started any more."""
        self.over = False
        self._nowhere = copy_context()
        """On no machine."""
        self._names = itertools.count(1)
        self.requests: dict[asyncio.Task[Any], Node] = {}
        """What was asked of servers and is not answered yet."""
        self._submitted: dict[str, list[int]] = {}
        self._found: asyncio.Future[None] | None = None
        path = folder / f"{plan.seed}.db"
        path.write_bytes(empty_database())
        self.server = Server.current = Server(path, self.network)
        self._eye = sqlite3.connect(path, isolation_level=None)
        apart = Apart(plan.unexplained)
        self.guarantees = Guarantees(Reader(self._eye), plan.project_limit, apart, self.broken)
        self.waits = Waits(plan.silence, plan.project_limit, plan.unexplained, apart, self.broken)
        self.news = asyncio.Event()
        self._lead: tuple[Node | None, float] = (None, 0.0)
        """Who leads, and since when."""

    # What happens.

    def note(self, text: str) -> None:
        self.digest = zlib.crc32(text.encode(), self.digest)
        self.say(text)

    def say(self, text: str) -> None:
        if self.verbose:
            print(f"{self.loop.time() - START:9.3f}  {text}")

    def broken(self, words: str) -> None:
        """A guarantee does not hold: the first one found ends the world."""
        if self._found is not None and not self._found.done() and not self.over:
            self.note(f"BROKEN: {words}")
            self._found.set_exception(Broken(words))

    def later(self, seconds: float, act: Callable[[], Any]) -> None:
        """Unless the world is closing by then; whatever becomes of the machine that asks for it."""
        self.loop.call_later(seconds, lambda: None if self.closing else act(), context=self._nowhere)

    def unique(self, name: str) -> str:
        return f"{name}-{self.random.getrandbits(32):08x}"

    def committed(self, machine: Machine | None, tables: set[str]) -> None:
        node = machine if isinstance(machine, Node) else None
        self.note(f"{machine} commits to {', '.join(sorted(tables))}")
        latest = max(node.latest, self.clock.time()) if node else self.clock.time()
        self.guarantees.committed(machine, tables, self._knew(node), latest, self.loop.time())
        self.waits.committed(self.guarantees.facts, self.clock.time(), self.loop.time(), self._well_since())
        if self.waits.to_explain:
            self.news.set()

    def _knew(self, node: Node | None) -> Knew:
        if node is None:
            return Knew(0, 0.0, self.loop.time())
        since = self._lead[1] if self._lead[0] is node else self.loop.time()
        return Knew(node.followed, node.followed_at, max(since, node.disturbed))

    def _well_since(self) -> float | None:
        """Since when somebody leads who knows it, is alive and hears of everything; None if nobody does."""
        lead = self.guarantees.facts.lead
        leader = next((n for n in self.nodes if lead is not None and n.name == lead["holder"]), None)
        if leader is None or not leader.leads or self.network.is_down(leader):
            self._lead = (None, 0.0)
            return None
        if self._lead[0] is not leader:
            self._lead = (leader, self.loop.time())
        return max(self._lead[1], leader.disturbed)

    def accepted(self, ids: list[int], key: str) -> None:
        """A submission was answered: the jobs are there, and the same key never gives others."""
        self._submitted.setdefault(key, ids)
        if self._submitted[key] != ids:
            self.broken(f"the request {key} made the jobs {self._submitted[key]} and then {ids}")

    def spread_wakeup(self, origin: Node, workers: Called) -> None:
        for node in self.nodes:
            if node is origin or node.fate is Fate.DEAD or self.random.random() < self.plan.deaf_wakeups:
                continue
            delay = self.random.choice((0.0, 0.001, 0.02, 0.3))
            self.loop.call_later(delay, node.wakeups.ring_here, workers, context=node.context.copy())

    def _clock_read(self, now: int) -> None:
        machine = CURRENT.get()
        if isinstance(machine, Node):
            machine.latest = max(machine.latest, now)

    def set_clock(self, seconds: float) -> None:
        self.note(f"the clock of the database is set by {seconds} s")
        self.clock.offset += int(seconds * 1_000_000)
        for node in self.nodes:
            node.disturbed = self.loop.time()
        if seconds > 0:
            self.guarantees.stepped = self.loop.time()

    # Machines.

    def add_node(self, *, serves: bool, works: bool, picky: bool | None = None) -> Node:
        """A new machine; a picky one takes only some types of jobs."""
        if picky is None:
            picky = self.plan.picky_workers and self.random.random() < 0.7
        kind = {(True, False): "server", (False, True): "worker", (True, True): "both"}[serves, works]
        node = Node(self, f"{kind}{next(self._names)}", serves=serves, works=works, picky=picky)
        self.note(f"{node} starts")
        self.nodes.append(node)
        self._ever.append(node)
        return node

    def left(self, node: Node) -> None:
        """It ended in good order."""
        self.note(f"{node} has stopped")
        self.loop.call_soon(self._bury, node, context=self._outside())

    def kill(self, node: Node) -> None:
        if node.fate is Fate.DEAD:
            return
        self.note(f"{node} is killed")
        self._bury(node)

    def _bury(self, node: Node) -> None:
        self.loop.kill(node)
        self.server.break_connections(node)
        if node.executor is not None:
            node.executor.die_with_worker()
        self.nodes.remove(node)

    def freeze(self, node: Node) -> None:
        if node.fate is Fate.ALIVE:
            self.note(f"{node} freezes")
            node.fate = Fate.FROZEN
            self.server.break_connections(node, silent=True)

    def thaw(self, node: Node) -> None:
        node.trap = None
        node.snare = None
        if node.fate is Fate.FROZEN:
            self.note(f"{node} goes on")
            node.disturbed = self.loop.time()
            self.loop.thaw(node)

    def _outside(self) -> Any:
        context = self.nodes[0].context.copy() if self.nodes else None
        if context is not None:
            context.run(CURRENT.set, None)
        return context

    # The course of the world.

    def run(self) -> None:
        """From the beginning to the end; raises Broken."""
        asyncio.set_event_loop(self.loop)
        identities = (uuid.UUID(int=self.random.getrandbits(128), version=4) for _ in itertools.count())
        global_random.seed(self.plan.seed)
        try:
            with patch("uuid.uuid4", lambda: next(identities)):
                self.loop.run_until_complete(self._run())
        finally:
            self._dispose()

    async def _run(self) -> None:
        self._found = self.loop.create_future()
        course = asyncio.ensure_future(self._course())
        await asyncio.wait({course, self._found}, return_when=asyncio.FIRST_COMPLETED)
        if self._found.done():
            course.cancel()
            self._found.result()
        course.result()

    async def _course(self) -> None:
        plan, settling = self.plan, Settling(self)
        await settling.warm_up()
        for _ in range(plan.servers):
            self.add_node(serves=True, works=False)
        for _ in range(plan.workers):
            self.add_node(serves=False, works=True)
        if plan.together:
            self.add_node(serves=True, works=True)
        people = [Person(self, Random(f"{plan.seed} person {n}"), n) for n in range(max(1, plan.people))]
        faults = Faults(self, Random(f"{plan.seed} faults"))
        acting = [asyncio.ensure_future(p.live()) for p in people] + [asyncio.ensure_future(faults.strike())]
        watching = asyncio.ensure_future(settling.watch())
        await asyncio.sleep(plan.seconds)
        for one in acting:
            one.cancel()
        faults.heal()
        self.note("--- the faults stop, the people clean up and leave")
        await people[0].clean_up()
        await settling.wait(END_WITHIN)
        await settling.stop_all()
        watching.cancel()

    def _dispose(self) -> None:
        """End what is left, the dead included, without letting it do anything any more."""
        self.over = self.server.over = True
        self.network.down.add("*")
        for node in self._ever:
            node.trap = None
            self.loop.thaw(node)
        self.loop.set_exception_handler(lambda _loop, _context: None)
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=1000.0))
        self.server.close()
        self._eye.close()
        asyncio.set_event_loop(None)
        self.loop.close()


def simulate(plan: Plan, *, verbose: bool = False) -> World:
    """Run the world of `plan`; raises Broken. The world, as it was in the end."""
    with TemporaryDirectory() as folder:
        world = World(plan, Path(folder), verbose=verbose)
        world.run()
        return world
