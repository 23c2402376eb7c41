"""Asks the segments: the first jobs in an order, and counts, loading no more than it takes."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.segments.archive import Archive, Segment
from jobdeck.store.segments.job_filter import JobFilter, Position, Sort
from jobdeck.store.segments.layout import STATES, Column
from jobdeck.store.segments.matching import InState, People, Within, conditions_of
from jobdeck.store.segments.ranking import Order, Question, Ranked, RankQuery, count, first_of
from jobdeck.store.segments.spans import SIZE

ROUND = 4
"""Segments that are looked at first; each further round takes twice as many."""
LARGEST_ROUND = 32
Columns: TypeAlias = Mapping[int, Mapping[str, Column]]
PATIENCE = 0.08
"""Seconds after which a page in order of creation is given as far as it was found, with a cursor to go on from."""


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """Jobs of segments, the first first; `until` is the id that was looked up to, None when everything was."""

    jobs: list[Ranked]
    until: int | None = None


@dataclass(frozen=True, slots=True)
class SegmentSnapshot:
    """The segments of a database at one moment, and the loose ids."""

    archive: Archive
    segments: Sequence[Segment]
    loose: Sequence[int]

    def having(self, columns: AbstractSet[str]) -> SegmentSnapshot:
        """Those with all of these columns: of the jobs of others no segment tells."""
        return SegmentSnapshot(self.archive, [s for s in self.segments if columns <= s.columns], self.loose)

    def question(self, where: JobFilter, people: People) -> Question:
        return Question(conditions_of(where, people), np.array(self.loose, np.int64))


async def first(
    connection: AsyncConnection,
    sealed: SegmentSnapshot,
    question: Question,
    sort: Sort,
    after: Position | None,
    limit: int,
) -> FoundJobs:
    """The first `limit` jobs behind `after`."""
    order = Order.of(sort, sealed.segments)
    wanted = [s for s in _possible(sealed.segments, question) if _reaches(s, order, after)]
    limits = {s.number: _best(s, order, after) for s in wanted}
    wanted.sort(key=lambda s: limits[s.number], reverse=True)
    names = question.columns | set(order.columns)
    best: list[Ranked] = []
    began = time.monotonic()
    for candidates in _rounds(wanted):
        part = [s for s in candidates if len(best) < limit or limits[s.number] >= _key(best[-1], order)]
        columns = await sealed.archive.columns(connection, part, names)
        floor = order.rank(best[-1][0]) if len(best) == limit else None
        found = await asyncio.to_thread(_first_of_all, question, RankQuery(order, after, limit, floor), part, columns)
        best = heapq.nlargest(limit, [*best, *found], key=lambda job: _key(job, order))
        if order.by_id and len(best) == limit:
            break
        if order.by_id and time.monotonic() - began > PATIENCE and candidates[-1] is not wanted[-1]:
            last = candidates[-1].first
            return FoundJobs(best, last if sort.descending else last + SIZE - 1)
    return FoundJobs(best)


def _first_of_all(question: Question, wanted: RankQuery, part: Sequence[Segment], columns: Columns) -> list[Ranked]:
    return [job for s in part for job in first_of(question, wanted, s, columns[s.number])]


def _counts_of_all(question: Question, part: Sequence[Segment], columns: Columns) -> list[list[int]]:
    return [count(question, s, columns[s.number]) for s in part]


def _key(job: Ranked, order: Order) -> tuple[int, int]:
    """Grows towards the beginning of the list."""
    rank = order.rank(job[0])
    return (rank, job[1]) if order.sort.descending else (-rank, -job[1])


def _best(segment: Segment, order: Order, after: Position | None) -> tuple[int, int]:
    """No job of the segment that is asked for has a larger key."""
    descending = order.sort.descending
    lowest, edge = segment.first, segment.first + SIZE
    if not descending:
        lowest, edge = -edge, -lowest
    if order.by_id:
        return edge, edge
    low, high = order.bounds(segment)
    most = high if descending else -low
    if after is None:
        return most, edge
    rank, behind = _key((after.value, after.id), order)
    if most < rank:
        return most, edge
    return (rank, min(edge, behind)) if lowest < behind else (rank - 1, edge)


def _reaches(segment: Segment, order: Order, after: Position | None) -> bool:
    """Whether a segment may hold jobs behind `after`."""
    if after is None or not order.by_id:
        return True
    return segment.first < after.id if order.sort.descending else segment.first + SIZE > after.id


def _possible(segments: Sequence[Segment], question: Question) -> Iterator[Segment]:
    """The segments that may hold what is asked for, by what is known of them as a whole."""
    spans = [c for c in question.conditions if isinstance(c, Within)]
    states = [c.states for c in question.conditions if isinstance(c, InState)]
    for segment in segments:
        if any(span.rules_out(segment.bounds[span.column]) for span in spans):
            continue
        if all(any(segment.counts[s] for s in wanted if s in STATES) for wanted in states):
            yield segment


def _rounds(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    at, size = 0, ROUND
    while at < len(segments):
        yield list(segments[at : at + size])
        at, size = at + size, min(LARGEST_ROUND, size * 2)


async def counts(connection: AsyncConnection, sealed: SegmentSnapshot, question: Question) -> dict[str, int]:
    """How many jobs of segments match, by state."""
    totals = [0] * len(STATES)
    unread = []
    for segment in _possible(sealed.segments, question):
        if question.conditions or question.touches_loose(segment):
            unread.append(segment)
        else:
            totals = [total + segment.counts[s] for total, s in zip(totals, STATES, strict=True)]
    for part in (unread[at : at + LARGEST_ROUND] for at in range(0, len(unread), LARGEST_ROUND)):
        columns = await sealed.archive.columns(connection, part, question.columns)
        found = await asyncio.to_thread(_counts_of_all, question, part, columns)
        totals = [sum(per_state) for per_state in zip(totals, *found, strict=True)]
    return dict(zip(STATES, totals, strict=True))
