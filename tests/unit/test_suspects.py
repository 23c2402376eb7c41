"""A job that lost its worker twice begins apart from others; whoever began last is blamed for the third loss."""

from __future__ import annotations

import pytest

from jobdeck.core.life.waiting import SETTLED, is_suspect, settles_after
from jobdeck.core.retry import pause_after_loss
from jobdeck.engine.scheduling import world as module
from jobdeck.engine.scheduling.world import KEPT_FREE, SlotTable
from jobdeck.store.running.workers import ACTIVE, StoredWorker

SUSPECT = 9


class Clock:
    """Steady seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "_now", lambda: clock.now)
    return clock


def worker(name: str) -> StoredWorker:
    return StoredWorker(
        id=name, name=name, host="h", pid=1, slots=4, light_slots=4, types=("t",), version="1", state=ACTIVE
    )  # fmt: skip


def places(*names: str) -> SlotTable:
    made = SlotTable()
    made.replace([worker(name) for name in names])
    return made


def find(places: SlotTable, losses: int = 0) -> str | None:
    found = places.find("t", "process", suspect=SUSPECT if is_suspect(losses) else None)
    return found.id if found is not None else None


def test_a_suspect_begins_where_all_others_have_run_for_a_while(clock: Clock) -> None:
    one = places("a")
    one.take(1, "a", "process")
    assert find(one, losses=2) is None
    assert find(one) is None, "kept free for the suspect, so that it does not wait for ever"
    clock.now += SETTLED
    assert find(one, losses=2) == "a"
    one.take(SUSPECT, "a", "process", losses=2)
    assert find(one) is None, "nobody joins it for a while"
    assert find(one, losses=2) is None
    clock.now += settles_after(2)
    assert find(one) == "a"
    assert find(one, losses=2) == "a"


def test_other_workers_go_on(clock: Clock) -> None:
    two = places("a", "b")
    two.take(1, "a", "process")
    two.take(2, "b", "process")
    two.take(3, "b", "process")
    assert find(two, losses=2) is None
    assert find(two) == "b", "a is kept free"
    clock.now += SETTLED
    two.take(SUSPECT, "a", "process", losses=2)
    assert find(two) == "b"
    two.give_back(SUSPECT)
    assert find(two) == "a"


def test_a_worker_is_kept_free_for_a_while_only(clock: Clock) -> None:
    one = places("a")
    one.take(1, "a", "process")
    assert find(one, losses=2) is None
    clock.now += KEPT_FREE
    one.take(2, "a", "process")
    assert find(one) == "a"


def test_a_worker_is_not_kept_free_for_a_suspect_that_is_gone(clock: Clock) -> None:
    one = places("a")
    one.take(1, "a", "process")
    assert find(one, losses=2) is None
    assert find(one) is None
    assert one.kept_for() == [SUSPECT]
    one.stop_keeping(SUSPECT)
    assert find(one) == "a"


def test_a_worker_is_not_kept_free_for_a_suspect_that_began_elsewhere(clock: Clock) -> None:
    two = places("a", "b")
    two.take(1, "a", "process")
    two.take(2, "b", "process")
    assert find(two, losses=2) is None
    two.take(SUSPECT, "b", "process", losses=2)
    assert find(two) == "a"


def test_who_lost_once_is_no_suspect(clock: Clock) -> None:
    one = places("a")
    one.take(1, "a", "process", losses=1)
    assert find(one, losses=1) == "a"
    assert [settles_after(n) for n in (0, 1, 2, 3, 4)] == [10, 10, 20, 80, 320]


def test_losses_of_a_task_have_time_between_them() -> None:
    assert [pause_after_loss(n, outside=False) for n in (1, 2)] == [1, 5]
    assert sum(pause_after_loss(n, outside=True) for n in (1, 2)) > 60, "a shortage of a minute fails no job"
