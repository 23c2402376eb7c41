"""What a job did when, worked out from its events; and how bars are packed so that none covers another."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jobdeck.core.life.states import FINAL, State

SpanKind = Literal["waiting", "running", "pausing", "paused", "canceling", "failed"]

_KINDS: dict[State, SpanKind] = {
    State.PENDING: "waiting",
    State.RUNNING: "running",
    State.PAUSING: "pausing",
    State.PAUSED: "paused",
    State.CANCELING: "canceling",
    State.FAILED: "failed",
}

CHANGES = (
    "submitted", "started", "succeeded", "failed", "retrying", "waiting_for_children", "worker_lost", "handed_back",
    "pausing", "paused", "resumed", "canceling", "stopped", "undoing", "canceled", "restarted",
)  # fmt: skip
"""The kinds of events that tell of a job's state."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """An event about the state of a job: `at` µs; `attempt` where the event tells it."""

    at: int
    kind: str
    before: State | None
    state: State
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end` (µs; None: until now) it was so, because of the event of kind `because`."""

    kind: SpanKind
    start: int
    end: int | None
    attempt: int
    because: str


def spans_of(created_at: int, changes: Sequence[StateChange]) -> list[Span]:
    """What a job did from its creation on. Where its first events are gone, the first that is known says what was."""
    first = changes[0] if changes else None
    before = first.before if first is not None and first.before is not None else State.PENDING
    spans: list[Span] = []
    now = _opened(created_at, before, 1, "submitted")
    for change in changes:
        attempt = change.attempt or (now.attempt if now is not None else 1)
        following = _opened(max(change.at, created_at), change.state, attempt, change.kind)
        if now is not None and following is not None and _same(now, following):
            continue
        if now is not None:
            spans += _closed(now, max(change.at, created_at))
        now = following
    return [*spans, now] if now is not None else spans


def _opened(at: int, state: State, attempt: int, because: str) -> Span | None:
    return None if state in FINAL else Span(_KINDS[state], at, None, attempt, because)


def _same(one: Span, other: Span) -> bool:
    return one.kind == other.kind and one.attempt == other.attempt


def _closed(span: Span, at: int) -> Iterable[Span]:
    if at > span.start:
        yield replace(span, end=at)


def within(spans: Iterable[Span], start: int, end: int | None, attempt: int) -> list[Span]:
    """The parts of an attempt's `spans` between `start` and `end` (µs; None: open)."""
    found = []
    for span in spans:
        begin = max(span.start, start)
        until = end if span.end is None else span.end if end is None else min(span.end, end)
        if span.attempt == attempt and (until is None or until > begin):
            found.append(replace(span, start=begin, end=until))
    return found


def lanes_of(bars: Sequence[tuple[int, int]]) -> list[int]:
    """The lane of each bar (start, end), from 0: as few lanes as it takes, and in each lane one bar after the other."""
    lanes = [0] * len(bars)
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    used = 0
    for place in sorted(range(len(bars)), key=lambda i: bars[i]):
        start, end = bars[place]
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, used = used, used + 1
        lanes[place] = lane
        heapq.heappush(busy, (max(end, start + 1), lane))
    return lanes
