"""Why a job waits: the reasons in their order, with holders, in words that name things."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jobdeck.core.claims import Claim, Held, Holding
from jobdeck.core.life.waiting import SHOWN_HOLDERS, Places, Reason, ScopePause, Waiting, WaitingFor, obstacles, turn


@dataclass
class World:
    held: Held = field(default_factory=Held)
    limits: dict[str, int] = field(default_factory=dict)
    paused: Mapping[str, ScopePause] = field(default_factory=dict)
    types: Collection[str] = ("import",)

    def holding(self, resource: str) -> Holding:
        return self.held.of(resource)

    def capacity(self, resource: str) -> int | None:
        return self.limits.get(resource)

    def can_run(self, type_name: str) -> bool:
        return type_name in self.types


def reasons(world: World, *claims: Claim, not_before: int | None = None, **more: object) -> list[WaitingFor]:
    depends_on = more.get("depends_on")
    assert depends_on is None or isinstance(depends_on, tuple)
    return list(obstacles(Waiting(1, "p", "import", claims, not_before, depends_on), world, 100))


def test_nothing_keeps_a_free_job() -> None:
    assert reasons(World(), Claim("instance"), Claim.exclusive("x")) == []


def test_reasons_come_in_the_documented_order() -> None:
    pause = ScopePause("project:p", "ann", "stock-taking")
    world = World(limits={"project:p": 0}, paused={"project:p": pause}, types=())
    found = reasons(world, Claim("project:p"), not_before=101, depends_on=(5,))
    assert [r.reason for r in found] == [
        Reason.NOT_BEFORE, Reason.PAUSED_SCOPE, Reason.DEPENDENCY, Reason.CLAIM, Reason.NO_WORKER,
    ]  # fmt: skip


def test_not_before_is_over_at_its_time() -> None:
    assert [r.until for r in reasons(World(), not_before=101)] == [101]
    assert reasons(World(), not_before=100) == []


def test_every_paused_scope_is_named_with_who_and_why() -> None:
    scopes = ("instance", "project:p", "type:import", "project:q", "type:export")
    world = World(paused={s: ScopePause(s, "ann", "stock-taking" if s == "instance" else None) for s in scopes})
    assert [(r.resource, r.text) for r in reasons(world)] == [
        ("instance", "instance was paused by ann: stock-taking."),
        ("project:p", "project:p was paused by ann."),
        ("type:import", "type:import was paused by ann."),
    ]


def test_a_full_limit_names_use_capacity_and_holders() -> None:
    world = World(limits={"project:p": 3})
    world.held.take(8, [Claim("project:p")])
    world.held.take(4, [Claim("project:p", 2)])
    (reason,) = reasons(world, Claim("project:p"))
    assert reason.holders == (4, 8)
    assert reason.capacity == 3
    assert reason.resource == "project:p"
    assert reason.text == "3 of 3 of project:p are in use, and it needs 1: jobs 4, 8 hold it."


def test_a_claim_beyond_the_limit_says_what_to_do() -> None:
    (reason,) = reasons(World(limits={"project:p/gpu": 2}), Claim("project:p/gpu", 3))
    assert reason.text == "It needs 3 of gpu, whose limit is 2; raise the limit."
    (reason,) = reasons(World(limits={"project:p/gpu": 0}), Claim.exclusive("project:p/gpu"))
    assert reason.text == "It needs 1 of gpu, whose limit is 0; raise the limit."


def test_exclusive_claims_name_their_holders_by_local_name() -> None:
    world = World()
    world.held.take(4, [Claim("project:p/object:lake/t")])
    (reason,) = reasons(world, Claim.exclusive("project:p/object:lake/t"))
    assert reason.text == "It needs object:lake/t for itself, and job 4 holds it."
    assert (reason.resource, reason.capacity, reason.holders) == ("object:lake/t", 1, (4,))
    world.held.take(5, [Claim.exclusive("project:p/object:lake/u")])
    (reason,) = reasons(world, Claim("project:p/object:lake/u"))
    assert reason.text == "object:lake/u is held exclusively by job 5."
    assert (reason.capacity, reason.holders) == (1, (5,))


def test_long_lists_of_holders_are_cut_and_counted() -> None:
    world = World()
    for job in range(100):
        world.held.take(job, [Claim("x")])
    (reason,) = reasons(world, Claim.exclusive("x"))
    assert reason.holders == tuple(range(SHOWN_HOLDERS))
    assert "and 97 more hold it" in reason.text
    (reason,) = reasons(World(), depends_on=tuple(range(100)))
    assert reason.holders == tuple(range(SHOWN_HOLDERS))
    assert "and 80 more" in reason.text


def test_a_missing_worker_is_named_by_its_type() -> None:
    (reason,) = reasons(World(types=("export",)))
    assert "'import'" in reason.text


def test_a_parent_whose_children_have_ended_ends_next() -> None:
    (reason,) = reasons(World(), depends_on=())
    assert (reason.reason, reason.holders) == (Reason.DEPENDENCY, ())
    assert reason.text == "The jobs that it waited for have ended; it ends in a moment, too."


def test_a_turn_tells_of_places_and_of_the_order() -> None:
    text = turn(places=Places.TAKEN, number=3).text
    assert text.startswith("It can run and waits for its turn; all places for it on workers are taken.")
    assert text.endswith("It is number 3 in its project's queue.")
    assert turn(places=Places.FREE, number=None).text == "It can run and waits for its turn; a worker has a place free."
    assert turn(places=Places.FREE, number=None).reason is Reason.TURN
