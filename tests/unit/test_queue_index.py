"""The scheduler's index against a brute-force decision: never beyond a capacity, never a startable job left waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.core.claims import Claim, Held, Mode, implicit_claims, merge, qualify
from jobdeck.core.order import order_key
from jobdeck.core.states import State
from jobdeck.core.waiting import PausedScope, Reason, Waiting, obstacles
from jobdeck.engine.capacity import Capacities
from jobdeck.engine.index import QueueIndex
from jobdeck.store.leases import UNDO, Pick
from jobdeck.store.queue import QueuedJob
from jobdeck.store.workers import Worker

PROJECTS = {1: ("p1", 1.0), 2: ("p2", 3.0)}
TYPES = {"a": "process", "b": "process", "c": "thread"}
LOCAL = ("object:x", "object:y", "configuration:1", "type:a", "project")
LIMITED = ("instance", "type:a", "type:b", "project:p1", "project:p1/type:a", "project:p1/object:x", "project:p2/object:y")


@dataclass
class World:
    """The facts, kept as simply as can be; every question is answered by looking at all of them."""

    index: QueueIndex = field(default_factory=lambda: QueueIndex(Capacities(None)))
    now: int = 0
    waiting: dict[int, QueuedJob] = field(default_factory=dict)
    held: dict[int, tuple[QueuedJob, str]] = field(default_factory=dict)
    capacities: dict[str, int] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    paused: Mapping[str, PausedScope] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index.set_projects(PROJECTS)

    def limit(self, resource: str, capacity: int | None) -> None:
        self.capacities = {r: c for r, c in self.capacities.items() if r != resource}
        if capacity is not None:
            self.capacities[resource] = capacity
        for changed in self.index.capacities.replace(self.capacities):
            self.index.unblock(changed, everyone=True)

    def pause(self, scopes: tuple[str, ...]) -> None:
        self.paused = self.index.paused = {s: PausedScope(s, "someone", None) for s in scopes}

    def employ(self, workers: list[Worker]) -> None:
        self.workers = workers
        self.index.places.replace(workers)

    def put(self, job: QueuedJob) -> None:
        self.held.pop(job.id, None)
        self.waiting[job.id] = job
        self.index.put(job)

    def release(self, job_id: int) -> None:
        self.held.pop(job_id, None)
        self.index.release(job_id)

    def remove(self, job_id: int) -> None:
        self.waiting.pop(job_id, None)
        self.held.pop(job_id, None)
        self.index.remove(job_id)
        self.index.release(job_id)

    def decide(self, limit: int = 1000) -> list[Pick]:
        picks = self.index.decide(self.now, limit)
        for pick in picks:
            self.held[pick.job] = (self.waiting.pop(pick.job), pick.worker_id)
        return picks

    def brute_held(self) -> Held:
        held = Held()
        for job_id, (job, _) in self.held.items():
            if job.state is not State.CANCELING:
                held.take(job_id, _claims(job))
        return held

    def used(self, worker: Worker, isolation: str) -> int:
        return sum(w == worker.id and job.isolation == isolation for job, w in self.held.values())

    def free(self, worker: Worker, isolation: str) -> int:
        slots = worker.light_slots if isolation == "thread" else worker.slots
        return slots - self.used(worker, isolation)

    def startable(self) -> Iterator[int]:
        """Jobs that nothing keeps from starting, and for which a worker has a place."""
        view = _View(self.brute_held(), self.capacities, self.paused, {t for w in self.workers for t in w.types})
        for job in self.waiting.values():
            if job.state is not State.PENDING or job.waits_for_children:
                continue
            facts = Waiting(job.id, PROJECTS[job.project_id][0], job.type, _claims(job), job.not_before)
            place = any(job.type in w.types and self.free(w, job.isolation) > 0 for w in self.workers)
            if place and next(obstacles(facts, view, self.now), None) is None:
                yield job.id


@dataclass
class _View:
    held: Held
    capacities: Mapping[str, int]
    paused: Mapping[str, PausedScope]
    types: set[str]

    def holding(self, resource: str):  # noqa: ANN201
        return self.held.of(resource)

    def capacity(self, resource: str) -> int | None:
        return self.capacities.get(resource)

    def can_run(self, type_name: str) -> bool:
        return type_name in self.types


def _claims(job: QueuedJob) -> tuple[Claim, ...]:
    return tuple(Claim.from_json(c) for c in json.loads(job.claims))


def make_job(
    job_id: int, project: int = 1, type_name: str = "a", extra: tuple[Claim, ...] = (), priority: int = 5,
    not_before: int | None = None, queued_at: int = 0,
) -> QueuedJob:  # fmt: skip
    name = PROJECTS[project][0]
    claims = merge([
        *implicit_claims(name, type_name, None, None),
        *(replace(c, resource=qualify(name, c.resource)) for c in extra),
    ])  # fmt: skip
    text = json.dumps([c.to_json() for c in claims])
    key = order_key(queued_at + job_id, priority)
    return QueuedJob(
        job_id, project, type_name, TYPES[type_name], State.PENDING, False, key, text, not_before, None, False, 0,
        None, False,
    )  # fmt: skip


def worker(name: str, slots: int, light: int = 0, types: tuple[str, ...] = tuple(TYPES)) -> Worker:
    return Worker(name, name, "host", 1, slots, light, types, "1")


claims = st.builds(
    Claim, st.sampled_from(LOCAL), st.integers(1, 3), st.sampled_from([Mode.SHARED, Mode.SHARED, Mode.EXCLUSIVE])
).map(lambda c: c if c.mode is Mode.SHARED else Claim.exclusive(c.resource))
ids = st.integers(1, 9)
jobs = st.builds(
    make_job, ids, st.sampled_from([1, 1, 2]), st.sampled_from([*TYPES]), st.lists(claims, max_size=3).map(tuple),
    st.integers(0, 9), st.none() | st.integers(1, 6),
)  # fmt: skip
staffs = st.lists(
    st.builds(
        worker, st.sampled_from(["w1", "w2", "w3"]), st.integers(0, 4), st.integers(0, 2),
        st.sets(st.sampled_from([*TYPES])).map(lambda s: tuple(sorted(s))),
    ), max_size=3, unique_by=lambda w: w.id,
)  # fmt: skip
actions = st.one_of(
    st.tuples(st.just("put"), jobs),
    st.tuples(st.just("put"), jobs),
    st.tuples(st.just("put"), jobs),
    st.tuples(st.just("release"), ids),
    st.tuples(st.just("release"), ids),
    st.tuples(st.just("remove"), ids),
    st.tuples(st.just("undo"), ids),
    st.tuples(st.just("limit"), st.tuples(st.sampled_from(LIMITED), st.none() | st.integers(0, 3))),
    st.tuples(st.just("employ"), staffs),
    st.tuples(st.just("pause"), st.sampled_from([(), ("instance",), ("project:p1",), ("type:a",)])),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("decide"), st.sampled_from([1, 2, 1000])),
)


def act(world: World, action: str, value: object) -> None:
    match action, value:
        case "put", QueuedJob() as job:
            world.put(job)
        case "release", int(job_id):
            world.release(job_id)
        case "remove", int(job_id):
            world.remove(job_id)
        case "undo", int(job_id):
            world.put(replace(make_job(job_id), state=State.CANCELING, dirty_since=1))
        case "limit", (str(resource), capacity):
            world.limit(resource, capacity)
        case "employ", list(staff):
            world.employ(staff)
        case "pause", tuple(scopes):
            world.pause(scopes)
        case "tick", int(step):
            world.now += step
        case "decide", int(limit):
            check_decision(world, limit)


def check_decision(world: World, limit: int = 1000) -> None:
    before = {w.id: {i: world.free(w, i) for i in ("process", "thread")} for w in world.workers}
    used_before = {r: world.brute_held().of(r).used for r in world.capacities}
    picks = world.decide(limit)
    assert len(picks) <= limit
    assert len({p.job for p in picks}) == len(picks)
    held = world.brute_held()
    for resource, capacity in world.capacities.items():
        assert held.of(resource).used <= max(capacity, used_before[resource]), resource
    for resource in held.resources():
        holding = held.of(resource)
        assert not holding.exclusive or len(holding.units) == 1, resource
    runs = [world.held[p.job][0] for p in picks if p.purpose != UNDO]
    for w in world.workers:
        for isolation in ("process", "thread"):
            more = sum(world.held[j.id][1] == w.id and j.isolation == isolation for j in runs)
            assert not more or more <= before[w.id][isolation]
    if len(picks) < limit:
        assert not list(world.startable()), "a job that could start was left waiting"


@settings(max_examples=600, deadline=None)
@given(st.lists(actions, max_size=40))
def test_index_agrees_with_brute_force(script: list[tuple[str, object]]) -> None:
    world = World()
    world.employ([worker("w1", 3, 1), worker("w2", 2, 0, ("a",))])
    for action, value in script:
        act(world, action, value)
    check_decision(world)
    check_decision(world)
