"""The scheduler's index against a brute-force decision: never beyond a capacity, never a startable job left waiting, in
the order of a plain and slow model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobdeck.core.claims import Claim, Held, Holding, implicit_claims, merge, qualify
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import ScopePause, Waiting, obstacles, order_key
from jobdeck.engine.scheduling.index import LOOKS, QueueIndex
from jobdeck.engine.scheduling.world import Capacities
from jobdeck.store.running.leases import UNDO, Pick
from jobdeck.store.running.workers import StoredWorker
from jobdeck.store.scheduling.queue import QueuedJob
from tests.unit.test_waiting import World as View

PROJECTS = {1: ("p1", 1.0), 2: ("p2", 3.0)}
TYPES = {"a": "process", "b": "process", "c": "thread"}
LOCAL = ("object:x", "object:x", "object:y", "object:y", "object:z", "object:z", "type:a", "project")
WEIGHTS = {"put": 45, "release": 35, "remove": 5, "undo": 2, "limit": 4, "employ": 4, "pause": 2, "tick": 3}
LIMITED = (
    "instance", "type:a", "type:b", "project:p1", "project:p1/type:a", "project:p1/object:x", "project:p2/object:y",
)  # fmt: skip


@dataclass
class World:
    """The facts, kept as simply as can be; every question is answered by looking at all of them."""

    index: QueueIndex = field(default_factory=lambda: QueueIndex(Capacities(None)))
    now: int = 0
    waiting: dict[int, QueuedJob] = field(default_factory=dict)
    held: dict[int, tuple[QueuedJob, str]] = field(default_factory=dict)
    capacities: dict[str, int] = field(default_factory=dict)
    workers: list[StoredWorker] = field(default_factory=list)
    paused: Mapping[str, ScopePause] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index.set_projects(PROJECTS)

    def limit(self, resource: str, capacity: int | None) -> None:
        self.capacities = {r: c for r, c in self.capacities.items() if r != resource}
        if capacity is not None:
            self.capacities[resource] = capacity
        for changed in self.index.capacities.replace(self.capacities):
            self.index.unblock(changed, everyone=True)

    def pause(self, scopes: tuple[str, ...]) -> None:
        self.paused = self.index.paused = {s: ScopePause(s, "someone", None) for s in scopes}

    def employ(self, workers: list[StoredWorker]) -> None:
        self.workers = workers
        self.index.slots.replace(workers)

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
        """As the scheduler does: it asks what time it is only where that matters."""
        picks: list[Pick] = []
        again = True
        while again and len(picks) < limit:
            picks += self.index.decide(self.now if self.index.asks_for_time() else 0, limit - len(picks))
            again = self.index.unfinished
        for pick in picks:
            self.held[pick.job] = (self.waiting.pop(pick.job), pick.worker_id)
        return picks

    def brute_held(self) -> Held:
        held = Held()
        for job_id, (job, _) in self.held.items():
            if job.state is not State.CANCELING:
                held.take(job_id, _claims(job))
        return held

    def used(self, worker: StoredWorker, isolation: str) -> int:
        return sum(w == worker.id and job.isolation == isolation for job, w in self.held.values())

    def free(self, worker: StoredWorker, isolation: str) -> int:
        slots = worker.light_slots if isolation == "thread" else worker.slots
        return slots - self.used(worker, isolation)

    def startable(self) -> Iterator[int]:
        """Jobs that nothing keeps from starting, and for which a worker has a place."""
        view = View(self.brute_held(), self.capacities, self.paused, {t for w in self.workers for t in w.types})
        for job in self.waiting.values():
            if job.state is not State.PENDING or job.waits_for_children:
                continue
            facts = Waiting(job.id, PROJECTS[job.project_id][0], job.type, _claims(job), job.not_before)
            place = any(job.type in w.types and self.free(w, job.isolation) > 0 for w in self.workers)
            if place and next(obstacles(facts, view, self.now), None) is None:
                yield job.id

    def order(self, job_id: int) -> tuple[float, int, int, int]:
        """Among those that can start: the smallest running share by weight, then priority, which ages, then age."""
        job = self.waiting[job_id]
        running = sum(other.project_id == job.project_id for other, _ in self.held.values())
        return running / PROJECTS[job.project_id][1], job.project_id, job.order_key, job_id


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


def worker(name: str, slots: int, light: int = 0, types: tuple[str, ...] = tuple(TYPES)) -> StoredWorker:
    return StoredWorker(name, name, "host", 1, slots, light, types, "1")


def random_claims(chance: Random) -> tuple[Claim, ...]:
    resources = [chance.choice(LOCAL) for _ in range(chance.randint(1, 3))]
    return tuple(Claim.exclusive(r) if chance.random() < 0.5 else Claim(r, chance.randint(1, 2)) for r in resources)


def random_job(chance: Random) -> QueuedJob:
    """A job's project and type follow from its id: they never change."""
    i = chance.randint(1, 12)
    not_before = chance.choice([None] * 5 + [3])
    return make_job(i, 1 + (i % 3 == 0), "aabbbc"[i % 6], random_claims(chance), chance.randint(0, 9), not_before)


def random_action(chance: Random) -> tuple[str, object]:
    (action,) = chance.choices([*WEIGHTS], [*WEIGHTS.values()])
    match action:
        case "put":
            return action, random_job(chance)
        case "limit":
            return action, (chance.choice(LIMITED), chance.choice([None, None, 0, 1, 2, 3]))
        case "employ":
            types = tuple(chance.choice(["abc", "abc", "b", "a"]))
            return action, [worker("w1", chance.randint(1, 4), 1, types), worker("w2", chance.randint(0, 1))]
        case "pause":
            return action, chance.choice([(), (), ("instance",), ("project:p1",), ("type:a",)])
        case "tick":
            return action, 1
        case _:
            return action, chance.randint(1, 12)


def act(world: World, action: str, value: object) -> None:
    match action, value:
        case "put", QueuedJob() as job:
            world.put(job)
        case "release", int(job_id):
            world.release(job_id)
        case "remove", int(job_id):
            world.remove(job_id)
        case "undo", int(job_id):
            world.put(make_job(job_id)._replace(state=State.CANCELING, dirty_since=1))
        case "limit", (str(resource), int() | None as capacity):
            world.limit(resource, capacity)
        case "employ", list(staff):
            world.employ(staff)
        case "pause", tuple(scopes):
            world.pause(scopes)
        case "tick", int(step):
            world.now += step


def check_decision(world: World, limit: int = 1000) -> None:
    before = {w.id: {i: world.free(w, i) for i in ("process", "thread")} for w in world.workers}
    used_before = {r: world.brute_held().of(r).used for r in world.capacities}
    model = replace(world, waiting=dict(world.waiting), held=dict(world.held))
    picks = world.decide(limit)
    check_order(model, picks)
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


def check_order(model: World, picks: list[Pick]) -> None:
    """Each start is what the model, as things are by then, would have started."""
    for pick in picks:
        if pick.purpose != UNDO:
            assert pick.job == min(model.startable(), key=model.order)
        model.held[pick.job] = (model.waiting.pop(pick.job), pick.worker_id)


@settings(max_examples=400, deadline=None)
@example(792_819)  # a job in a line, whose time had come, was called by a decision made without the time
@given(st.integers(0, 2**32))
def test_index_agrees_with_brute_force(seed: int) -> None:
    """Dense random scripts, replayable by their seed: they meet rare orders of events sooner than grown lists do."""
    chance = Random(seed)
    world = World()
    world.employ([worker("w1", 4, 1)])
    for _ in range(60):
        act(world, *random_action(chance))
        if chance.random() < 0.7:
            check_decision(world, chance.choice([1, 1000, 1000]))
    check_decision(world)


def ready_world(*, slots: int = 10) -> World:
    world = World()
    world.employ([worker("w1", slots)])
    return world


def started(world: World) -> list[int]:
    return [p.job for p in world.decide()]


def test_readers_start_behind_a_writer_that_cannot() -> None:
    """The head of a line that does not fit must not keep those behind it, which do, from starting."""
    write, read = Claim.exclusive("object:x"), Claim("object:x")
    world = ready_world()
    world.put(make_job(9, extra=(write,)))
    assert started(world) == [9]
    world.put(make_job(2, extra=(write,)))
    world.put(make_job(3, type_name="b", extra=(read,)))
    assert started(world) == []
    world.put(make_job(1, extra=(read,)))
    world.release(9)
    assert started(world) == [1, 3]


def test_one_who_cannot_use_the_room_passes_it_on() -> None:
    """The first in line is called, and then stopped by something else: the next in line is to be called."""
    x, y = Claim.exclusive("object:x"), Claim.exclusive("object:y")
    world = ready_world()
    world.put(make_job(1, extra=(x,)))
    assert started(world) == [1]
    for waits in (2, 3):
        world.put(make_job(waits, extra=(x, y) if waits == 2 else (x,)))
    assert started(world) == []
    world.put(make_job(4, extra=(y,), priority=9))
    assert started(world) == [4]
    world.release(1)
    assert started(world) == [3]
    world.release(3)
    world.release(4)
    assert started(world) == [2]


def test_a_type_without_worker_does_not_block_the_line() -> None:
    x = Claim.exclusive("object:x")
    world = World()
    world.employ([worker("w1", 5)])
    world.put(make_job(1, extra=(x,)))
    assert started(world) == [1]
    world.put(make_job(2, type_name="a", extra=(x,)))
    world.put(make_job(3, type_name="b", extra=(x,)))
    assert started(world) == []
    world.employ([worker("w1", 5, types=("b",))])
    world.release(1)
    assert started(world) == [3]


def test_a_job_that_needs_much_of_its_project_does_not_stop_the_small_ones() -> None:
    world = ready_world()
    world.limit("project:p1", 4)
    world.put(make_job(1, extra=(Claim("project", 2),)))
    assert started(world) == [1]
    world.put(make_job(2, extra=(Claim("project", 3),)))
    world.put(make_job(3))
    assert started(world) == [3]
    world.release(1)
    world.release(3)
    assert started(world) == [2]


def test_a_resource_named_like_an_instance_limit_is_another_one() -> None:
    """`project:p1/instance` is the project's own; waiting for it must not stop the project's other jobs."""
    own = Claim.exclusive("instance")
    world = ready_world()
    world.put(make_job(1, extra=(own,)))
    assert started(world) == [1]
    world.put(make_job(2, extra=(own,)))
    world.put(make_job(3))
    assert started(world) == [3]


def test_a_limit_of_zero_holds_back_exclusive_claims_too() -> None:
    world = ready_world()
    world.limit("project:p1/object:x", 0)
    world.put(make_job(1, extra=(Claim.exclusive("object:x"),)))
    assert started(world) == []
    world.limit("project:p1/object:x", None)
    assert started(world) == [1]


def test_the_project_with_the_smaller_share_goes_first() -> None:
    """Weights 1 and 3: of four places one and three."""
    world = ready_world(slots=4)
    for i in range(1, 9):
        world.put(make_job(i, project=1))
        world.put(make_job(10 + i, project=2))
    assert sorted(j > 10 for j in started(world)) == [False, True, True, True]


def test_within_a_project_priority_goes_first_and_age_among_equals() -> None:
    world = ready_world(slots=1)
    order = []
    for job in (make_job(1), make_job(2, priority=9), make_job(3, type_name="b", priority=9), make_job(4, priority=0)):
        world.put(job)
    for _ in range(4):
        (job_id,) = started(world)
        order.append(job_id)
        world.release(job_id)
    assert order == [2, 3, 1, 4]


def test_leftovers_are_removed_even_where_no_place_is_free() -> None:
    world = ready_world(slots=0)
    world.put(make_job(1)._replace(state=State.CANCELING, dirty_since=1))
    assert [(p.job, p.purpose) for p in world.decide()] == [(1, UNDO)]
    assert world.decide() == []


def test_freeing_one_resource_looks_at_few_of_those_who_wait_for_it() -> None:
    """10,000 jobs wait for one configuration; each end of a run must not walk through all of them."""
    one = Claim.exclusive("configuration:1")
    world = ready_world()
    for i in range(10_000):
        world.put(make_job(i + 1, extra=(one,)))
    assert started(world) == [1]
    looked = 0
    real = world.index.holding

    def counting(resource: str) -> Holding:
        nonlocal looked
        looked += 1
        return real(resource)

    world.index.holding = counting  # type: ignore[method-assign]
    for i in range(1, 51):
        world.release(i)
        assert started(world) == [i + 1]
    assert looked < 50 * 60


def test_one_decision_looks_at_few_of_very_many_that_cannot_start() -> None:
    """They come all at once when a server takes over; meanwhile it must answer, and renew its lead."""
    world = ready_world()
    world.limit("project:p1/object:x", 0)
    for i in range(5 * LOOKS):
        world.put(make_job(i + 1, extra=(Claim.exclusive("object:x"),)))
    world.put(make_job(10 * LOOKS))
    looked = 0
    real = world.index.holding

    def counting(resource: str) -> Holding:
        nonlocal looked
        looked += 1
        return real(resource)

    world.index.holding = counting  # type: ignore[method-assign]
    picks: list[Pick] = []
    most = decisions = 0
    while world.index.unfinished or not decisions:
        looked = 0
        picks += world.index.decide(0, 1000)
        most, decisions = max(most, looked), decisions + 1
    assert [p.job for p in picks] == [10 * LOOKS]
    assert most < LOOKS * 20
    assert decisions == 6
