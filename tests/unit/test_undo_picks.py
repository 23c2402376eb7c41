"""Leftovers are removed whatever else waits to be."""

from __future__ import annotations

from jobdeck.core.life.states import State
from jobdeck.engine.scheduling.index import QueueIndex
from jobdeck.engine.scheduling.world import Capacities
from tests.unit.test_queue_index import make_job, worker


def test_those_that_no_worker_knows_hold_up_no_other() -> None:
    index = QueueIndex(Capacities(None))
    index.set_projects({1: ("p1", 1.0)})
    index.slots.replace([worker("w1", 1, types=("a",))])
    for number, type_name in enumerate("bbba", start=1):
        index.put(make_job(number, type_name=type_name)._replace(state=State.CANCELING, dirty_since=1))
    assert [pick.job for pick in index.decide(0, 1)] == [4]
