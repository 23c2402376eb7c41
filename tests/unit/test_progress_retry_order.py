"""Progress that never lies, retries that end, and an order in which none starves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.progress import ALMOST, StepProgress, eta, fraction_of, job_fraction, rate
from jobdeck.core.life.waiting import HIGHEST_PRIORITY, LOWEST_PRIORITY, order_key, share
from jobdeck.core.retry import RetryPolicy, losses_exhausted

MINUTE = 60_000_000
steps = st.lists(st.builds(StepProgress, st.floats(0, 100), st.floats(0, 1)), max_size=6)
FAILED = ErrorInfo("x", "x")


@given(st.lists(steps, max_size=6))
def test_progress_never_goes_back_and_ends_only_with_success(readings: list[list[StepProgress]]) -> None:
    shown = 0.0
    for reading in readings:
        now = job_fraction(reading, before=shown)
        assert shown <= now <= ALMOST
        shown = now
    assert job_fraction([], before=shown, succeeded=True) == 1.0


def test_steps_count_by_weight() -> None:
    assert job_fraction([StepProgress(3, 1.0), StepProgress(1, 0.0)]) == 0.75
    assert job_fraction([StepProgress(1, 1.0)]) == ALMOST
    assert job_fraction([]) == 0.0
    assert job_fraction([StepProgress(0, 1.0)]) == 0.0


@pytest.mark.parametrize(
    ("done", "total", "fraction"), [(1, 2, 0.5), (0, 0, 0.0), (5, None, 0.0), (9, 3, 1.0), (-1, 3, 0.0)]
)
def test_fraction_of(done: int, total: int | None, fraction: float) -> None:
    assert fraction_of(done, total) == fraction


def test_rate_and_eta_say_nothing_where_there_is_nothing_to_tell_from() -> None:
    assert rate(10, 2.0) == 5.0
    assert rate(0, 2.0) is None
    assert rate(5, 0.0) is None
    assert eta(100, 0.5, 2.0) == 2_000_100
    assert eta(100, 0.001, 2.0) is None
    assert eta(100, 0.5, 0.0) is None


@given(st.integers(1, 10), st.floats(0.01, 100), st.integers(1, 2000))
def test_retries_end_and_wait_longer_and_longer(attempts: int, backoff: float, failures: int) -> None:
    policy = RetryPolicy(attempts, backoff)
    delay = policy.delay_after(failures, FAILED)
    assert (delay is None) == (failures >= attempts)
    if delay is not None:
        assert backoff <= delay <= policy.longest
        before = policy.delay_after(failures - 1, FAILED) if failures > 1 else 0.0
        assert before is not None
        assert before <= delay


def test_what_another_try_cannot_help_is_not_retried() -> None:
    assert RetryPolicy(5).delay_after(1, ErrorInfo("x", "x", retryable=False)) is None
    assert RetryPolicy(5, backoff=1).delay_after(1, FAILED) == 1
    assert RetryPolicy(5, backoff=1).delay_after(4, FAILED) == 8
    assert RetryPolicy(10**6, backoff=1).delay_after(10**5, FAILED) == 600


def test_the_third_loss_in_a_row_is_the_last() -> None:
    assert [losses_exhausted(n) for n in (1, 2, 3, 4)] == [False, False, True, True]


def test_priority_goes_first_and_age_among_equals() -> None:
    assert order_key(0, 9) < order_key(0, 5) < order_key(1, 5) < order_key(0, 0)


@given(st.integers(0, 2**50), st.integers(LOWEST_PRIORITY, HIGHEST_PRIORITY), st.integers(0, 9))
def test_none_starves(queued_at: int, mine: int, other: int) -> None:
    """Whoever comes 45 minutes later, with whatever priority, does not overtake."""
    assert order_key(queued_at, mine) < order_key(queued_at + 45 * MINUTE + 1, other)


@given(st.integers(0, 2**50), st.integers(LOWEST_PRIORITY, HIGHEST_PRIORITY), st.integers(0, 9))
def test_five_minutes_weigh_as_much_as_a_step_of_priority(queued_at: int, mine: int, other: int) -> None:
    later = queued_at + (other - mine) * 5 * MINUTE
    assert order_key(queued_at, mine) == order_key(later, other)


def test_shares_are_by_weight() -> None:
    assert share(3, 3.0) == share(1, 1.0)
    assert share(0, 5.0) < share(1, 100.0)
