"""A filter over the columns of a segment: which of its jobs match."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from jobdeck.core.filters import rules
from jobdeck.store.segments.job_filter import JobFilter, Search, Span, is_fingerprint, own_id, words_of
from jobdeck.store.segments.layout import (
    LATELY,
    NONE,
    NUMBERS,
    STATES,
    TEXTS,
    Array,
    Column,
    Facet,
    Mask,
    Pairs,
    Texts,
    kept_as,
    key_of,
)
from jobdeck.store.segments.spans import SIZE

_LARGEST = 2**63 - 1


class Condition(Protocol):
    """One of the conditions of a filter."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What it looks at."""
        ...

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:
        """The jobs that meet it, of a segment whose ids begin at `first`."""
        ...


@dataclass(frozen=True, slots=True)
class _OfColumn:
    """What looks at one column."""

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


FEW = 8
"""Up to so many values are compared one by one."""


def _any_of(numbers: Array, wanted: Sequence[int]) -> Mask:
    """Which of the numbers are wanted."""
    if len(wanted) > FEW:
        found: Mask = np.isin(numbers, np.array(wanted, np.int64))
        return found
    found = np.zeros(len(numbers), np.bool_)
    for number in wanted:
        found |= numbers == number
    return found


def _of(columns: Mapping[str, Column], name: str, kind: type[Any]) -> Any:
    found = columns[name]
    assert isinstance(found, kind)
    return found


@dataclass(frozen=True, slots=True)
class Among(_OfColumn):
    """One of some values."""

    keys: tuple[int, ...]

    def is_absent(self, columns: Mapping[str, Column]) -> bool:
        """Whether no job of the segment has any of them."""
        facet: Facet = _of(columns, self.column, Facet)
        return not _any_of(facet.keys, self.keys).any()

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:  # noqa: ARG002
        facet: Facet = _of(columns, self.column, Facet)
        wanted = _any_of(facet.keys, self.keys)
        found: Mask = wanted[facet.codes]
        return found


@dataclass(frozen=True, slots=True)
class InState:
    """One of some states."""

    states: tuple[str, ...]
    columns: ClassVar[tuple[str, ...]] = ("state",)

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:  # noqa: ARG002
        wanted = np.array([False, *(state in self.states for state in STATES)])
        found: Mask = wanted[_of(columns, "state", np.ndarray)]
        return found


@dataclass(frozen=True, slots=True)
class Within(_OfColumn):
    """A number between two bounds; nothing is within no bounds."""

    span: Span

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:  # noqa: ARG002
        numbers: Array = _of(columns, self.column, np.ndarray)
        since, until = self.span
        found: Mask = numbers >= max(NONE + 1, since or 0)
        return found & (numbers < min(until, _LARGEST)) if until is not None else found

    def rules_out(self, bounds: Sequence[int]) -> bool:
        """Whether no number between these bounds is within."""
        since, until = self.span
        return (since is not None and bounds[1] < since) or (until is not None and bounds[0] >= until)


@dataclass(frozen=True, slots=True)
class Equals(_OfColumn):
    """A number that is one of some."""

    values: tuple[int, ...]

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:  # noqa: ARG002
        return _any_of(_of(columns, self.column, np.ndarray), self.values)


@dataclass(frozen=True, slots=True)
class Tagged:
    """Any of some tags."""

    tags: tuple[str, ...]
    columns: ClassVar[tuple[str, ...]] = ("tags",)

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:  # noqa: ARG002
        return _having(_of(columns, "tags", Pairs), [key_of(tag) for tag in self.tags])


def _having(pairs: Pairs, keys: Sequence[int]) -> Mask:
    found = np.zeros(SIZE, np.bool_)
    found[pairs.places[_any_of(pairs.keys, keys)]] = True
    return found


@dataclass(frozen=True, slots=True)
class RunsBelow:
    """A run id, and all that runs below it."""

    run_id: str
    columns: ClassVar[tuple[str, ...]] = ("runs",)

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:
        runs: Pairs = _of(columns, "runs", Pairs)
        found = _having(runs, [key_of(self.run_id)])
        place = _place(own_id(self.run_id), first)
        if place is not None and place not in runs.places:  # those at the top are not among the pairs
            found[place] = True
        return found


def _place(job_id: int | None, first: int) -> int | None:
    return job_id - first if job_id is not None and 0 <= job_id - first < SIZE else None


@dataclass(frozen=True, slots=True)
class Contains:
    """All of some words, wherever they are, whatever the case of A to Z; or an id or the beginning of a run id."""

    asked: Search
    people: Mapping[str, tuple[int, ...]]
    """For each word the principals with such names."""

    @property
    def columns(self) -> tuple[str, ...]:
        people = ("created_by",) if any(self.people.values()) else ()
        kinds = ("error_fingerprint",) if any(map(is_fingerprint, self.asked.words)) else ()
        return (*TEXTS, *people, *kinds, *(("runs",) if self.asked.run else ()))

    def mask(self, columns: Mapping[str, Column], first: int) -> Mask:
        found = np.ones(SIZE, np.bool_)
        for word in self.asked.words:
            found &= self._having(word, columns)
            if not found.any():
                break
        if self.asked.run:
            found |= RunsBelow(self.asked.run).mask(columns, first)
        place = _place(self.asked.id, first)
        if place is not None:
            found[place] = True
        return found

    def _having(self, word: str, columns: Mapping[str, Column]) -> Mask:
        """The jobs that have a word anywhere."""
        piece = word.encode("utf-8", "surrogatepass")
        found = np.zeros(SIZE, np.bool_)
        for name in TEXTS:
            texts: Texts = _of(columns, name, Texts)
            there = _containing(texts, piece)
            if there.any():
                found |= there[texts.codes]
        if self.people.get(word):
            found |= Among("created_by", self.people[word]).mask(columns, 0)
        if is_fingerprint(word):
            found |= Among("error_fingerprint", (key_of(word),)).mask(columns, 0)
        return found


def _containing(texts: Texts, piece: bytes) -> Mask:
    """Which of the texts contain `piece`."""
    known = texts.lately.get(piece)
    if known is None:
        known = np.packbits(_searched(texts, piece))
        with _REMEMBERING:
            while len(texts.lately) >= LATELY:
                del texts.lately[next(iter(texts.lately))]
            texts.lately[piece] = known
    return np.unpackbits(known, count=max(1, len(texts.starts))).view(np.bool_)


_REMEMBERING = threading.Lock()
_SAMPLE = 4096


def _searched(texts: Texts, piece: bytes) -> Mask:
    """As `_containing`, looked for in all of the text at once: a search that stops at each hit pays for each."""
    found = np.zeros(max(1, len(texts.starts)), np.bool_)
    text = np.frombuffer(texts.text, np.uint8)
    places = len(text) - len(piece) + 1
    if places < 1:
        return found
    # The bytes that are rare first: few places are left for the others to be looked at.
    common = np.bincount(text[:_SAMPLE], minlength=256)
    first, *others = sorted(range(len(piece)), key=lambda at: int(common[piece[at]]))
    hits = np.flatnonzero(text[first : first + places] == piece[first])
    for at in others:
        hits = hits[text[hits + at] == piece[at]]
    found[np.searchsorted(texts.starts, hits, "right") - 1] = True
    return found


@dataclass(frozen=True, slots=True)
class People:
    """The ids of principals: by whole names, and by words that are in their names."""

    by_name: Mapping[str, int] = field(default_factory=dict)
    by_word: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


CHEAP_FIRST = (Among, Within, Equals, InState, Tagged, RunsBelow, Contains)


def conditions_of(where: JobFilter, people: People = People()) -> list[Condition]:
    """The conditions of a filter, the cheap ones first; `people` are the principals that it may mean."""
    found = [condition for rule, value in where.asked for condition in _condition(rule, value, people)]
    return sorted(found, key=lambda condition: CHEAP_FIRST.index(type(condition)))


def _one_of(column: str, values: tuple[Any, ...]) -> Condition:
    if column == "state":
        return InState(values)
    if column in NUMBERS:
        return Equals(column, values)
    return Among(kept_as(column), tuple(key_of(value) for value in values))


def _condition(rule: rules.Rule, value: Any, people: People) -> Iterator[Condition]:
    """A rule over columns, with its value; store/views/job_conditions.py says the same as SQL."""
    match rule:
        case rules.OneOf(column):
            yield _one_of(column, value)
        case rules.Between(column):
            yield Within(column, value)
        case rules.IsMissing(column):
            yield Among(kept_as(column), (0,))
        case rules.Holds():
            yield Tagged(value)
        case rules.Named(column):
            yield Among(column, (people.by_name[value],) if value in people.by_name else ())
        case rules.CodeOrFingerprint():
            yield Among("error_fingerprint" if is_fingerprint(value) else "error_code", (key_of(value),))
        case rules.Below():
            yield RunsBelow(value)
        case rules.HasWords() if words_of(value):
            yield Contains(Search(value), people.by_word)
