"""A job's timeline as figures to draw: places from 0 to 100 % of the width.

Long stretches in which nothing runs are drawn short, so that the work between them can be seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from jobdeck.core.amounts import duration, number
from jobdeck.core.life.states import StepState
from jobdeck.wire.timeline import Density, SpanView, StepBar, TaskBar, Timeline

BUSY = frozenset({"running", "pausing", "canceling"})
FOLDED = 0.12
"""Of the width of all work: the most that a stretch without work takes."""
LANE = 9
"""Pixels from one lane of tasks to the next."""
MOST_LANES = 40
TICKS_APART = 11.0
"""Percent of the width that lie between two marks of the axis, at least."""
_NICE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
         7200, 10800, 21600, 43200, 86400, 172800, 604800)  # fmt: skip


Idle: TypeAlias = tuple[str, datetime, datetime]
"""A time in which nothing ran: what it was (waiting, paused), from, to."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar from `x` on, `width` wide, both in percent; `y` in pixels."""

    x: str
    width: str
    kind: str
    title: str
    y: int = 0


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One line of the drawing: the job, or a step with its tasks below its own bar."""

    name: str
    state: str
    marks: Sequence[Mark]
    text: str
    index: int | None = None
    tasks: Sequence[Mark] = ()
    tasks_height: int = 0
    columns: Sequence[Mark] = ()
    """Of many tasks: how many were at work; `y` is the height of a column, of 30."""
    failed_columns: Sequence[Mark] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the axis: its place and the time since the job began; `folded`: the time before it is drawn short."""

    x: str
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template draws."""

    rows: Sequence[TimelineRow]
    ticks: Sequence[Tick]
    folds: Sequence[Mark]
    begin: datetime
    end: datetime


class Scale:
    """From times to places. Work has its true proportions; each stretch without any takes at most a part of them."""

    def __init__(self, begin: datetime, end: datetime, busy: Iterable[tuple[datetime, datetime]]) -> None:
        edges = [(begin, begin), *_united(busy, begin, end), (end, end)]
        work = sum((b - a).total_seconds() for a, b in edges)
        most = work * FOLDED if work else float("inf")
        self.pieces: list[tuple[datetime, datetime, float, float]] = []
        self.folds: list[tuple[datetime, datetime, float, float]] = []
        place = 0.0
        for number_, (start, until) in enumerate(edges):
            if number_:
                place = self._add(edges[number_ - 1][1], start, place, most)
            place = self._add(start, until, place, float("inf"))
        self._all = place or 1.0

    def _add(self, start: datetime, end: datetime, place: float, most: float) -> float:
        length = (end - start).total_seconds()
        if length <= 0:
            return place
        drawn = min(length, most)
        self.pieces.append((start, end, place, drawn))
        if drawn < length:
            self.folds.append((start, end, place, drawn))
        return place + drawn

    def at(self, when: datetime) -> float:
        """Percent of the width."""
        for start, end, place, drawn in self.pieces:
            if when <= end:
                part = max(0.0, (when - start) / (end - start))
                return 100 * (place + part * drawn) / self._all
        return 100.0


def _united(
    spans: Iterable[tuple[datetime, datetime]], begin: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for start, until in sorted((max(a, begin), min(b, end)) for a, b in spans):
        if until <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((start, until))
    return found


def draw(timeline: Timeline) -> Drawing:
    """The figures of the attempt that the timeline shows, from its beginning in the queue on."""
    # A failure lasts until somebody does something about it: no part of what the job did.
    mine = [s for s in timeline.spans if s.attempt == timeline.attempt and not (s.kind == "failed" and s.end is None)]
    now = timeline.now
    starts = [span.start for span in mine if span.start] + [step.start for step in timeline.steps if step.start]
    begin = min(starts, default=timeline.start or now)
    ends = [span.end or now for span in mine] + [step.end or now for step in timeline.steps]
    end = max([*ends, begin + timedelta(milliseconds=1)])
    scale = Scale(begin, end, [(s.start, s.end or now) for s in mine if s.start and s.kind in BUSY])
    rows = [_job_row(mine, scale, now), *(_step_row(step, scale, now) for step in timeline.steps)]
    folds = [
        _mark(scale, a, b, "fold", f"{duration((b - a).total_seconds())}, drawn short") for a, b, *_ in scale.folds
    ]
    return Drawing(rows, _ticks(scale, begin, end), folds, begin, end)


def _mark(scale: Scale, start: datetime, end: datetime, kind: str, title: str, y: int = 0) -> Mark:
    left, right = scale.at(start), scale.at(end)
    return Mark(f"{left:.3f}%", f"{max(right - left, 0.12):.3f}%", kind, title, y)


def _job_row(spans: Sequence[SpanView], scale: Scale, now: datetime) -> TimelineRow:
    marks = _span_marks(spans, scale, now)
    told = ", then ".join(f"{s.kind} {_length(s.start, s.end, now)}" for s in spans[:12])
    return TimelineRow(
        "Job", spans[-1].kind if spans else "", marks, f"The job was {told}" if told else "Nothing is known yet"
    )


def _span_marks(spans: Sequence[SpanView], scale: Scale, now: datetime) -> list[Mark]:
    return [
        _mark(scale, span.start, span.end or now, span.kind, f"{span.kind}, {_length(span.start, span.end, now)}")
        for span in spans
        if span.start is not None
    ]


def _length(start: datetime | None, end: datetime | None, now: datetime) -> str:
    return duration(((end or now) - start).total_seconds()) if start else "?"


def _step_row(step: StepBar, scale: Scale, now: datetime) -> TimelineRow:
    tasks = step.tasks
    counts = {str(state): count for state, count in tasks.counts.items()}
    told = ", ".join(f"{number(count)} {state}" for state, count in counts.items())
    idle = _idle(step, now)
    text = f"Step {step.name}, {step.state}, {_length(step.start, step.end, now)}{_parts(idle)}"
    lanes = min(max((bar.lane + 1 for bar in tasks.items), default=0), MOST_LANES)
    begun = [bar for bar in tasks.items if bar.start is not None]
    columns, failed = _columns(tasks.density, scale) if tasks.density else ((), ())
    return TimelineRow(
        name=step.name,
        state=str(step.state),
        marks=_step_marks(step, scale, now),
        text=f"{text}; tasks: {told}" if told else text,
        index=step.index,
        # One task of one step says nothing that the step's own bar does not.
        tasks=[m for bar in begun for m in _task_marks(step, bar, idle, scale, now)] if tasks.count > 1 else (),
        tasks_height=lanes * LANE if tasks.count > 1 else 0,
        columns=columns,
        failed_columns=failed,
        counts=counts,
    )


def _step_marks(step: StepBar, scale: Scale, now: datetime) -> list[Mark]:
    if step.start is None:
        return []
    ended = {StepState.SUCCEEDED: "succeeded", StepState.FAILED: "failed", StepState.CANCELED: "canceled"}.get(
        step.state
    )
    marks = []
    for mark, span in zip(_span_marks(step.spans, scale, now), step.spans, strict=False):
        kind = ended if ended and span.kind == "running" else span.kind
        marks.append(Mark(mark.x, mark.width, kind, f"{step.name}: {mark.title}"))
    if marks:
        return marks
    return [_mark(scale, step.start, step.end or now, ended or "running", f"{step.name}, {step.state}")]


def _task_marks(step: StepBar, bar: TaskBar, idle: Sequence[Idle], scale: Scale, now: datetime) -> list[Mark]:
    """A task's bar, and over it the times between in which the job did nothing. Before its start a task waits, too:
    that is said, and drawn as the room in front of the bar."""
    start = bar.start or now
    end = bar.end if bar.end is not None else start + timedelta(seconds=bar.seconds)
    is_named = bar.key not in ("", str(bar.index), f"{step.name}[{bar.index}]")
    name = f"Task {bar.index} ({bar.key})" if is_named else f"Task {bar.index}"
    error = f", {bar.error_code}" if bar.error_code else ""
    host = f" on {bar.host}" if bar.host else ""
    between = _within(idle, start, end)
    before = (start - step.start).total_seconds() if step.start else 0.0
    after = f", after {duration(before)}" if before >= 0.001 else ""
    title = f"{name}: {bar.state}, {duration(bar.seconds)}{_parts(between)}{after}{host}{error}"
    # Lanes beyond those that are drawn lie on the last one.
    y = min(bar.lane, MOST_LANES - 1) * LANE
    rest = [_mark(scale, a, b, kind, f"{name}: {kind}, {_length(a, b, now)}", y) for kind, a, b in between]
    return [_mark(scale, start, end, str(bar.state), title, y), *rest]


def _idle(step: StepBar, now: datetime) -> list[Idle]:
    """When its job waited or was paused, while the step was under way."""
    spans = [span for span in step.spans if span.kind in ("waiting", "paused")]
    return [(span.kind, span.start, span.end or now) for span in spans if span.start is not None]


def _within(idle: Sequence[Idle], start: datetime, end: datetime) -> list[Idle]:
    cut = [(kind, max(a, start), min(b, end)) for kind, a, b in idle]
    return [(kind, a, b) for kind, a, b in cut if b > a]


def _parts(idle: Sequence[Idle]) -> str:
    """`, 10 s of it paused`"""
    sums: dict[str, float] = {}
    for kind, start, end in idle:
        sums[kind] = sums.get(kind, 0.0) + (end - start).total_seconds()
    return "".join(f", {duration(seconds)} of it {kind}" for kind, seconds in sums.items())


def _columns(density: Density, scale: Scale) -> tuple[list[Mark], list[Mark]]:
    width = timedelta(seconds=density.bucket_seconds)
    highest = max([*density.running, 1])
    columns, failed = [], []
    for place, running in enumerate(density.running):
        start = density.start + place * width
        if running:
            height = max(1, round(30 * running / highest))
            columns.append(_mark(scale, start, start + width, "running", f"{number(running)} tasks at work", height))
        if place < len(density.failed) and density.failed[place]:
            count = density.failed[place]
            failed.append(_mark(scale, start, start + width, "failed", f"{number(count)} tasks failed", 30))
    return columns, failed


def _ticks(scale: Scale, begin: datetime, end: datetime) -> list[Tick]:
    """Times since the beginning, round ones where there is room, and none too near another."""
    folded = [(a, b) for a, b, *_ in scale.folds]
    drawn = (end - begin).total_seconds() - sum((b - a).total_seconds() for a, b in folded)
    step = next((s for s in _NICE if s >= drawn * TICKS_APART / 100), drawn or 1.0)
    ticks: list[Tick] = []
    last = -100.0
    for start, until, *_ in scale.pieces:
        offset = (start - begin).total_seconds()
        first = -(-offset // step) * step
        while first <= (until - begin).total_seconds():
            when = begin + timedelta(seconds=first)
            place = scale.at(when)
            if place - last >= TICKS_APART * 0.8 and place < 97:
                ticks.append(Tick(f"{place:.2f}%", _offset(first), "start" if place < 3 else "middle"))
                last = place
            if (start, until) in folded:
                break
            first += step
    return ticks


def _offset(seconds: float) -> str:
    return "0" if seconds == 0 else duration(round(seconds, 3))
