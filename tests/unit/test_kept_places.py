"""Places that decisions keep free for a job whose workers were lost, and when they are for others again."""

from __future__ import annotations

from jobdeck.core.claims import Claim
from jobdeck.engine.scheduling.index import QueueIndex
from jobdeck.engine.scheduling.world import Capacities
from jobdeck.store.scheduling.queue import QueuedJob
from tests.unit.test_queue_index import make_job, worker

SUSPECT = 10


def busy_index(b_places: int) -> QueueIndex:
    """Jobs run since a moment on both workers: 1 of the 4 places of the first is taken, all but one of the second."""
    index = QueueIndex(Capacities(None))
    index.set_projects({1: ("p1", 1.0)})
    index.slots.replace([worker("first", 4), worker("second", b_places)])
    index.hold(make_job(1), "first", ())
    for number in range(2, b_places + 1):
        index.hold(make_job(number), "second", ())
    return index


def suspect(*claims: Claim) -> QueuedJob:
    return make_job(SUSPECT, extra=claims)._replace(losses=2)


def started(index: QueueIndex) -> dict[int, str]:
    return {pick.job: pick.worker_id for pick in index.decide(0, 100)}


def test_others_do_not_get_the_place_while_the_suspect_waits_for_it() -> None:
    index = busy_index(2)
    index.put(suspect())
    index.put(make_job(11))
    index.put(make_job(12))
    assert started(index) == {11: "second"}
    assert started(index) == {}


def test_it_is_theirs_once_the_suspect_waits_no_more() -> None:
    index = busy_index(2)
    index.put(suspect())
    for number in (11, 12):
        index.put(make_job(number))
    assert started(index) == {11: "second"}
    index.remove(SUSPECT)
    assert started(index) == {12: "first"}


def test_it_is_theirs_once_one_of_them_took_what_the_suspect_needs() -> None:
    """In the same decision: nothing may come that makes the scheduler look again."""
    index = busy_index(2)
    index.put(suspect(Claim.exclusive("object:x")))
    index.put(make_job(11, extra=(Claim.exclusive("object:x"),)))
    index.put(make_job(12))
    assert started(index) == {11: "second", 12: "first"}
