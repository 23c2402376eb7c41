"""The way between machines and database: slow, flaky, and down now and then (driver.Network)."""

from __future__ import annotations

import asyncio
import sqlite3
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.machines import Node
from tests.simulation.virtual_time import Machine

if TYPE_CHECKING:
    from tests.simulation.world import World


class Deadlock(sqlite3.OperationalError):
    """What PostgreSQL says to one of two transactions that wait for each other: it is to be run again."""

    sqlstate = "40P01"


def _away() -> Exception:
    return sqlite3.OperationalError("could not reach the database")


class SimulatedNetwork:
    """Draws its lots in the order of the calls, which is the same for the same seed."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self.down: set[str] = set()
        """Names of the machines that do not reach the database; `*` is all."""
        self.slow = world.plan.slow
        self._sprung: Machine | None = None
        self.flaky = world.plan.flaky

    def heal(self) -> None:
        """From now on nothing new fails; outages that have begun end in their time."""
        self.slow = self.flaky = 0.0

    def on_begin(self, machine: Machine | None, *, writes: bool) -> tuple[float, Exception | None]:
        if machine is None:
            return 0.0, None
        if self.down and self.is_down(machine):
            return self._random.choice((0.0, 0.0, 1.0)), self._failing(machine, _away())
        if writes and self._is_ambushed(machine):
            return 0.001, None
        if self._springs(machine):
            self._spring(machine)
            return 0.001, None
        if self.flaky and self._random.random() < self.flaky:
            error = self._random.choice((_away(), sqlite3.OperationalError("database is locked")))
            return 0.0, self._failing(machine, error)
        return self._delay(), None

    def on_statement(self, machine: Machine | None) -> tuple[float, Exception | None]:
        if machine is None:
            return 0.0, None
        if self.down and self.is_down(machine):
            return 0.0, self._failing(machine, _away())
        if not self.flaky and not self.slow:
            return 0.0, None
        draw = self._random.random()
        if draw < self.flaky:
            return 0.0, self._failing(machine, self._random.choice((_away(), Deadlock("deadlock detected"))))
        return (self._random.uniform(0.001, 0.05) if draw > 1 - self.slow / 5 else 0.0), None

    def on_answer(self, machine: Machine | None) -> float:
        if machine is None or not self.slow or self._random.random() > self.slow / 3:
            return 0.0
        return self._random.choice((0.001, 0.02, 0.2))

    def on_commit(self, machine: Machine | None) -> tuple[float, Exception | None, bool, float]:
        if machine is None:
            return 0.0, None, True, 0.0
        down = bool(self.down) and self.is_down(machine)
        if down or (self.flaky and self._random.random() < self.flaky):
            return 0.0, self._failing(machine, _away()), self._random.random() < 0.5, self._delay()
        if self._springs(machine):
            self._sprung = machine
            return 0.0, None, True, 0.001
        return self._delay(), None, True, self._delay()

    def committed(self, machine: Machine | None, tables: set[str]) -> None:
        self._world.committed(machine, tables)
        if machine is not None and machine is self._sprung:
            self._spring(machine)

    def _is_ambushed(self, machine: Machine) -> bool:
        """Whether something has just befallen the service that is about to write."""
        task = asyncio.current_task()
        if not isinstance(machine, Node) or machine.ambush is None or task is None:
            return False
        service, act = machine.ambush
        if task.get_name() != service:
            return False
        machine.ambush = None
        act()
        return True

    def _springs(self, machine: Machine) -> bool:
        return isinstance(machine, Node) and machine.snare is not None and self._random.random() < 0.5

    def _spring(self, machine: Machine) -> None:
        self._sprung = None
        if isinstance(machine, Node) and machine.snare is not None:
            act, machine.snare = machine.snare, None
            act()

    def followed(self, machine: Machine | None) -> None:
        if isinstance(machine, Node):
            machine.followed = self._world.guarantees.commit
            machine.followed_at = self._world.loop.time()
            machine.latest = 0

    def say(self, text: str) -> None:
        self._world.say(text)

    def is_down(self, machine: Machine) -> bool:
        return "*" in self.down or machine.name in self.down

    def _failing(self, machine: Machine, error: Exception) -> Exception:
        """Whoever meets the error has to find its feet again."""
        if isinstance(machine, Node):
            machine.disturbed = self._world.loop.time()
        return error

    def _delay(self) -> float:
        if self.slow and self._random.random() < self.slow:
            return self._random.choice((0.001, 0.01, 0.1, 0.5))
        return 0.0
