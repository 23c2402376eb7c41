"""People: they submit jobs and operate on them through whatever server answers, and do not always hear the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from jobdeck.core.errors import JobdeckError
from jobdeck.core.life.job import ChildPolicy
from jobdeck.core.life.operations import Operation
from jobdeck.engine.submitting.submit import Submission
from jobdeck.store import limits, pauses
from tests.simulation.machines import Node
from tests.simulation.scripts import OBJECTS, write_script
from tests.simulation.virtual_time import Fate

if TYPE_CHECKING:
    from tests.simulation.world import World

_PATIENCE = 5.0
_RESOURCES = ("instance", "type:plain", "type:dirty", "project:p1", "project:p2", "project:p1/type:light",
              *(f"project:p1/{o}" for o in OBJECTS))  # fmt: skip
_SCOPES = ("instance", "project:p1", "project:p2", "type:dirty")


class NoAnswer(Exception):
    """No server is there, or it died, or it took too long: whether the request was carried out is unknown."""


class Person:
    """One who acts at random."""

    def __init__(self, world: World, random: Random, number: int) -> None:
        self._world = world
        self._random = random
        self._name = f"person{number}"
        self._keys = 0
        self.accepted: list[int] = []

    async def live(self) -> None:
        """Until cancelled: act, wait, act."""
        world, random = self._world, self._random
        for _ in range(world.plan.jobs):
            await self._try(self._submit)
        while True:
            await asyncio.sleep(random.expovariate(1 / world.plan.rate))
            await self._try(random.choices(*zip(*self._choices, strict=True))[0])

    @property
    def _choices(self) -> list[tuple[Callable[[], Awaitable[Any]], float]]:
        crowd = 25 if self._world.plan.large else 5
        submits = 4.0 if len(self._world.guarantees.facts.jobs) < crowd else 0.2
        return [
            (self._submit, submits),
            (self._operate, 8.0),
            (self._prioritise, 12.0 if self._world.plan.rivals else 1.0),
            (self._limit, 1.5),
            (self._hold, 1.0),
        ]

    async def _try(self, act: Callable[[], Awaitable[Any]]) -> None:
        try:
            await act()
        except (JobdeckError, NoAnswer) as error:
            self._world.note(f"{self._name}: {type(error).__name__}: {error}")

    async def ask(self, words: str, request: Callable[[Node], Awaitable[Any]]) -> Any:
        """The answer of some server; raises NoAnswer, or what the server says."""
        servers = [n for n in self._world.nodes if n.serves and n.up]
        if not servers:
            raise NoAnswer("no server is there")
        server = self._random.choice(servers)
        self._world.note(f"{self._name} asks {server}: {words}")

        async def call() -> Any:
            return await request(server)

        task = self._world.loop.spawn(server, call())
        self._world.requests[task] = server
        task.add_done_callback(self._answered)
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
        if not done:
            raise NoAnswer(f"{server} took too long")
        answer = task.result()
        self._world.note(f"{self._name} hears: {answer}")
        return answer

    def _answered(self, task: asyncio.Task[Any]) -> None:
        """Whoever asked may have gone; the answer is then nobody's."""
        del self._world.requests[task]
        if not task.cancelled():
            task.exception()

    async def _submit(self) -> None:
        wanted = [
            self._submission()
            for _ in range(self._random.choice((1, 1, 1, 2, 4) if self._world.plan.large else (1, 1, 2)))
        ]
        self._keys += 1
        key = (f"{self._name}-{self._keys}", "hash")
        for _ in range(3):
            try:
                ids = await self.ask(
                    f"submit {[(w.type, w.parent, w.params) for w in wanted]}",
                    lambda server: server.submitter.submit(wanted, actor=self._name, principal_id=1, idempotency=key),
                )
            except NoAnswer:
                continue
            self._world.accepted(ids, key[0])
            return

    def _submission(self) -> Submission:
        random, now = self._random, self._world.clock.time()
        type_name = random.choice(("plain", "plain", "dirty", "dirty", "light"))
        jobs = self._world.guarantees.facts.jobs
        parents = [j["id"] for j in jobs.values() if j["state"] in ("pending", "running", "pausing")]
        parent = random.choice(parents) if parents and random.random() < 0.25 else None
        project = jobs[parent]["project_id"] if parent else random.choice((1, 1, 2))
        return Submission(
            type_name, write_script(random, type_name, large=self._world.plan.large), project, f"p{project}", 1,
            priority=random.choice((5, 5, 5, 0, 9)), parent=parent,
            not_before=now + int(random.uniform(-1, 8) * 1e6) if random.random() < 0.15 else None,
            deduplicate=random.random() < 0.1,
            on_child_failure=random.choice(list(ChildPolicy)),
        )  # fmt: skip

    async def _operate(self) -> None:
        jobs = list(self._world.guarantees.facts.jobs)
        if not jobs:
            return
        ids = self._random.sample(jobs, min(len(jobs), self._random.choice((1, 1, 1, 1, 2, 5))))
        operation = self._random.choices(list(Operation), (3, 4, 4, 3, 1))[0]
        resume_at = None
        if operation is Operation.PAUSE and self._random.random() < 0.5:
            resume_at = self._world.clock.time() + int(self._random.uniform(0, 8) * 1e6)
        await self.ask(
            f"{operation} {ids} (resume at {resume_at})",
            lambda server: server.control.operate(ids, operation, actor=self._name, resume_at=resume_at),
        )

    async def _prioritise(self) -> None:
        jobs = list(self._world.guarantees.facts.jobs)
        if jobs:
            job, priority = self._random.choice(jobs), self._random.randint(0, 9)
            await self.ask(
                f"priority {priority} of {job}",
                lambda server: server.control.set_priority(job, priority, actor=self._name),
            )

    async def _limit(self) -> None:
        resource, capacity = self._random.choice(_RESOURCES), self._random.choice((None, 0, 1, 1, 2, 3))
        await self.ask(f"limit {resource} to {capacity}", lambda server: set_limit(server, resource, capacity))

    async def _hold(self) -> None:
        scope, hold = self._random.choice(_SCOPES), self._random.random() < 0.4
        await self.ask(f"{'hold' if hold else 'let go'} {scope}", lambda server: set_scope(server, scope, hold=hold))

    async def clean_up(self) -> None:
        """Before people leave: nothing is held back, and every claim can be met. What was under way lands meanwhile."""
        requests = self._world.requests
        while asked := [task for task, server in requests.items() if server.fate is not Fate.DEAD]:
            await asyncio.wait(asked, timeout=1.0)
        while True:
            rules = self._world.guarantees.facts.rules
            tight = [resource for resource, capacity in rules.limits.items() if capacity < 2]
            for scope in rules.paused:
                await self._insist(partial(set_scope, scope=scope, hold=False))
            for resource in tight:
                await self._insist(partial(set_limit, resource=resource, capacity=None))
            if not rules.paused and not tight:
                return

    async def _insist(self, request: Callable[[Node], Awaitable[Any]]) -> None:
        while True:
            try:
                await self.ask("clean up", request)
                return
            except (JobdeckError, NoAnswer):
                await asyncio.sleep(0.5)


async def set_limit(server: Node, resource: str, capacity: int | None) -> None:
    if capacity is None:
        await server.database.transact(lambda tx: limits.clear(tx, resource, None, "someone"))
    else:
        await server.database.transact(lambda tx: limits.put(tx, resource, None, capacity, "someone"))


async def set_scope(server: Node, scope: str, *, hold: bool) -> None:
    if hold:
        await server.database.transact(lambda tx: pauses.put(tx, scope, "someone", None))
    else:
        await server.database.transact(lambda tx: pauses.clear(tx, scope, "someone"))
