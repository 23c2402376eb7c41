"""The first jobs of a segment in any order, and how many match in each state."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from jobdeck.store.segments.archive import Segment
from jobdeck.store.segments.job_filter import Position, Sort
from jobdeck.store.segments.layout import STATES, Array, Column, Facet, Ints, Mask, key_of
from jobdeck.store.segments.matching import Among, Condition
from jobdeck.store.segments.spans import SIZE

Ranked: TypeAlias = tuple[int | str, int]
"""The value that a job is sorted by, and its id."""
_COLUMNS = {"state": ("state",), "type": ("type",), "created_at": ()}


_PLACES = np.arange(SIZE, dtype=np.int64)
_NOWHERE = np.zeros(SIZE, np.bool_)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of segments: the conditions, and the ids (in order) that they must not speak of."""

    conditions: Sequence[Condition]
    loose: Ints

    @property
    def columns(self) -> set[str]:
        return {"state", *(name for condition in self.conditions for name in condition.columns)}

    def matching(self, segment: Segment, columns: Mapping[str, Column]) -> Mask:
        """The jobs of a segment that meet all conditions."""
        if any(isinstance(condition, Among) and condition.is_absent(columns) for condition in self.conditions):
            return _NOWHERE.copy()
        state = columns["state"]
        assert isinstance(state, np.ndarray)
        found: Mask = state != 0
        low, high = np.searchsorted(self.loose, (segment.first, segment.first + SIZE))
        found[self.loose[low:high] - segment.first] = False
        for condition in self.conditions:
            if not found.any():
                break
            found &= condition.mask(columns, segment.first)
        return found

    def touches_loose(self, segment: Segment) -> bool:
        """Whether some jobs of the segment are loose."""
        low, high = np.searchsorted(self.loose, (segment.first, segment.first + SIZE))
        return bool(low < high)


def count(question: Question, segment: Segment, columns: Mapping[str, Column]) -> list[int]:
    """How many jobs match, for each of STATES."""
    state = columns["state"]
    assert isinstance(state, np.ndarray)
    found = np.bincount(state[question.matching(segment, columns)], minlength=len(STATES) + 1)
    return [int(jobs) for jobs in found[1:]]


def columns_of(sort: Sort) -> tuple[str, ...]:
    """What an order looks at."""
    return _COLUMNS.get(sort.by, (sort.by,))


@dataclass(frozen=True, slots=True)
class Order:
    """An order of all segments: text is compared as numbers, places in the order of all that there are."""

    sort: Sort
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, sort: Sort, segments: Sequence[Segment]) -> Order:
        if sort.by == "state":
            return cls(sort, STATES)
        if sort.by == "type":
            return cls(sort, tuple(sorted({name for segment in segments for name in segment.types})))
        return cls(sort)

    @property
    def columns(self) -> tuple[str, ...]:
        return columns_of(self.sort)

    @property
    def by_id(self) -> bool:
        return self.sort.by == "created_at"

    @property
    def by_word(self) -> bool:
        return self.sort.by in ("state", "type")

    def bounds(self, segment: Segment) -> tuple[int, int]:
        """The least and the largest rank that jobs of a segment may have."""
        if self.by_word:
            there = segment.types if self.sort.by == "type" else [s for s in STATES if segment.counts[s]]
            return (self.rank(min(there)), self.rank(max(there))) if there else (0, 0)
        low, high = segment.bounds[self.sort.by]
        return max(0, low), max(0, high)

    def rank(self, value: int | str) -> int:
        """Where a value stands; of a word that no segment has, between those that they have."""
        if isinstance(value, int):
            return value
        at = bisect_left(self.words, value)
        return 2 * at if at < len(self.words) and self.words[at] == value else 2 * at - 1

    def value(self, rank: int) -> int | str:
        return self.words[rank // 2] if self.by_word else rank

    def ranks(self, columns: Mapping[str, Column], ids: Ints) -> Ints:
        """The ranks of all jobs of a segment."""
        if self.by_id:
            return ids
        column = columns[self.sort.by]
        if isinstance(column, Facet):
            rank_by_key = {key_of(word): 2 * at for at, word in enumerate(self.words)}
            table: Ints = np.array([rank_by_key.get(int(key), 0) for key in column.keys], np.int64)
            found: Ints = table[column.codes]
            return found
        assert isinstance(column, np.ndarray)
        values: Array = column.astype(np.int64, copy=False)
        return (values - 1) * 2 if self.sort.by == "state" else np.maximum(values, 0)


@dataclass(frozen=True, slots=True)
class RankQuery:
    """The first `limit` jobs behind `after`; what ranks behind `floor` is too late."""

    order: Order
    after: Position | None
    limit: int
    floor: int | None = None


def first_of(question: Question, wanted: RankQuery, segment: Segment, columns: Mapping[str, Column]) -> list[Ranked]:
    """Candidates: all jobs of a segment that can be among those wanted, in no order."""
    order, after = wanted.order, wanted.after
    matching = question.matching(segment, columns)
    if not matching.any():
        return []
    ids = _PLACES + segment.first
    ranks = order.ranks(columns, ids)
    sign = 1 if order.sort.descending else -1
    if after is not None:
        rank = order.rank(after.value) if not order.by_id else after.id
        behind = ids < after.id if sign > 0 else ids > after.id
        matching &= (ranks < rank if sign > 0 else ranks > rank) | ((ranks == rank) & behind)
    if wanted.floor is not None:
        matching &= ranks >= wanted.floor if sign > 0 else ranks <= wanted.floor
    chosen = np.flatnonzero(matching)
    ids, ranks = ids[chosen], ranks[chosen]
    if len(ids) > wanted.limit:
        ids, ranks = _best(ids, ranks, wanted.limit, sign)
    return [(order.value(int(rank)), int(job_id)) for rank, job_id in zip(ranks, ids, strict=True)]


def _best(ids: Ints, ranks: Ints, limit: int, sign: int) -> tuple[Ints, Ints]:
    """The `limit` largest (or with `sign` -1 smallest) by rank and then id; ids are in order."""
    signed = ranks * sign
    edge = np.partition(signed, len(signed) - limit)[len(signed) - limit]
    better = np.flatnonzero(signed > edge)
    equal = np.flatnonzero(signed == edge)
    equal = equal[-limit:] if sign > 0 else equal[:limit]
    best = np.concatenate([better, equal])
    return ids[best], ranks[best]
