"""What a job did when, from its events; and bars that do not cover one another."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.life.spans import Span, StateChange, lanes_of, spans_of, within
from jobdeck.core.life.states import State

P, R, S, F = State.PENDING, State.RUNNING, State.SUCCEEDED, State.FAILED


def told(
    *changes: tuple[int, str, State | None, State, int | None], created: int = 0
) -> list[tuple[str, int, int | None]]:
    return [(s.kind, s.start, s.end) for s in spans_of(created, [StateChange(*c) for c in changes])]


def test_a_life_with_pause_failure_and_restart() -> None:
    spans = spans_of(
        0,
        [
            StateChange(0, "submitted", None, P),
            StateChange(5, "started", P, R, 1),
            StateChange(7, "pausing", R, State.PAUSING),
            StateChange(8, "paused", State.PAUSING, State.PAUSED),
            StateChange(20, "resumed", State.PAUSED, P),
            StateChange(21, "started", P, R, 1),
            StateChange(30, "failed", R, F),
            StateChange(40, "restarted", F, P, 2),
            StateChange(41, "started", P, R, 2),
            StateChange(50, "succeeded", R, S),
        ],
    )
    assert spans == [
        Span("waiting", 0, 5, 1, "submitted"),
        Span("running", 5, 7, 1, "started"),
        Span("pausing", 7, 8, 1, "pausing"),
        Span("paused", 8, 20, 1, "paused"),
        Span("waiting", 20, 21, 1, "resumed"),
        Span("running", 21, 30, 1, "started"),
        Span("failed", 30, 40, 1, "failed"),
        Span("waiting", 40, 41, 2, "restarted"),
        Span("running", 41, 50, 2, "started"),
    ]
    assert [(s.kind, s.start, s.end) for s in within(spans, 6, 25, 1)] == [
        ("running", 6, 7), ("pausing", 7, 8), ("paused", 8, 20), ("waiting", 20, 21), ("running", 21, 25),
    ]  # fmt: skip


def test_what_is_not_over_has_no_end() -> None:
    assert told() == [("waiting", 0, None)]
    assert told((3, "started", P, R, 1)) == [("waiting", 0, 3), ("running", 3, None)]
    open_one = spans_of(0, [StateChange(3, "started", P, R, 1)])
    assert [(s.start, s.end) for s in within(open_one, 5, None, 1)] == [(5, None)]
    assert [(s.start, s.end) for s in within(open_one, 5, 9, 1)] == [(5, 9)]
    assert within(open_one, 0, None, 2) == []


def test_events_that_are_gone_or_say_nothing_new() -> None:
    assert told((50, "resumed", State.PAUSED, P, None)) == [("paused", 0, 50), ("waiting", 50, None)]
    canceling = State.CANCELING
    undone = [
        (5, "canceling", R, canceling, None),
        (6, "stopped", canceling, canceling, None),
        (7, "undoing", canceling, canceling, None),
    ]
    assert told((1, "started", P, R, 1), *undone, (9, "canceled", canceling, State.CANCELED, None)) == [
        ("waiting", 0, 1), ("running", 1, 5), ("canceling", 5, 9),
    ]  # fmt: skip
    assert told((5, "started", P, R, 1), created=9) == [("running", 9, None)]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda b: (b[0], b[0] + b[1])), max_size=60))
def test_bars_of_a_lane_do_not_overlap_and_lanes_are_few(bars: list[tuple[int, int]]) -> None:
    lanes = lanes_of(bars)
    assert len(lanes) == len(bars)
    by_lane: dict[int, list[tuple[int, int]]] = {}
    for lane, bar in zip(lanes, bars, strict=True):
        by_lane.setdefault(lane, []).append(bar)
    assert set(by_lane) == set(range(len(by_lane)))
    for mine in by_lane.values():
        mine.sort()
        assert all(max(a[1], a[0] + 1) <= b[0] for a, b in pairwise(mine))
    at_once = max((sum(s <= t < max(e, s + 1) for s, e in bars) for t, _ in bars), default=0)
    assert len(by_lane) == at_once
