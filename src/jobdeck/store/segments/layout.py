"""How a segment is laid out: its columns, made from rows, as bytes and as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobdeck.core.filters.jobs import FILTERS
from jobdeck.core.filters.rules import Between, IsMissing, Named, OneOf
from jobdeck.store.segments import searched
from jobdeck.store.segments.job_filter import folded
from jobdeck.store.segments.searched import ERROR, Parts
from jobdeck.store.segments.spans import SIZE

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

STATES = ("canceled", "failed", "succeeded")
"""The states that a segment knows, by code from 1; 0 is an id without an ended job."""
NONE = -1
"""No time: of a job that ended before it began."""
LAYOUT = 3
"""The version that segments are written in. Those of before 1 do not say theirs; those of before 3 do not say which
columns they have. A segment of another version, or with other columns than COLUMNS, is made anew in the background."""
SAYS_COLUMNS = 3
FORM_SINCE = 0
"""The first version whose columns have the form that `parse` reads: after a change of that form it is LAYOUT. Jobs of
earlier segments, and of segments that lack a column, are asked themselves until their segment is made anew."""

_ORDERS = ("created_at", "started_at", "ended_at", "duration", "priority")
_RULES = tuple(f.rule for f in FILTERS)
NUMBERS: Mapping[str, type[np.signedinteger[Any]]] = {
    "created_at": np.int64, "started_at": np.int64, "ended_at": np.int64, "duration": np.int64, "priority": np.int8,
    **{rule.column: np.int64 for rule in _RULES if isinstance(rule, Between) and rule.column not in _ORDERS},
}  # fmt: skip
"""Columns compared by size, or by which lists are ordered."""


def kept_as(column: str) -> str:
    """What a column of jobs is called in segments."""
    return column.removesuffix("_id")


FACETS: Mapping[str, str] = {
    **{
        kept_as(rule.column): rule.column
        for rule in _RULES
        if isinstance(rule, OneOf | IsMissing | Named) and rule.column not in ("state", *NUMBERS)
    },
    "error_code": "error_code",
    "error_fingerprint": "error_fingerprint",
}
"""Columns compared for equality, with the column of jobs that each is made from."""
LATELY = 8
"""Words of which a column of texts remembers where they are."""
SPELLED: Mapping[str, tuple[Callable[[Mapping[str, Sequence[Any]]], Iterator[Parts]], Callable[[Parts], Parts]]] = {
    "descriptions": (searched.described, tuple), "names": (searched.named, tuple), "errors": (searched.failed, tuple),
    "given": (searched.given, searched.spelled),
}  # fmt: skip
"""How columns of texts are made: from rows what differs between jobs, and of that the texts, once for each."""
TOUCHED = "touched"
"""The column of what jobs read and wrote, which their rows do not tell."""
TEXTS = (*SPELLED, TOUCHED)
"""Columns that are searched for a piece of text."""
WIDE = ("descriptions", "names")
"""Those whose places always take two bytes; those of the others take one where there are few texts."""
READ = (
    "id", "state", *FACETS.values(), *("running_us" if name == "duration" else name for name in NUMBERS),
    "run_id", "tags", "description", "params", *(name for name in ERROR if name not in FACETS.values()),
)  # fmt: skip
"""The columns of jobs that a segment is made from."""


COLUMNS = tuple(sorted(("state", *FACETS, *NUMBERS, "tags", "runs", *TEXTS)))
"""All that a segment has."""
HEADER: Mapping[str, Any] = {"layout": LAYOUT, "columns": COLUMNS}
"""What the description of a segment begins with."""


def is_of_today() -> str:
    """What the description of a segment that need not be made anew contains."""
    return json.dumps(HEADER)[1:-1]


def key_of(value: int | str | None) -> int:
    """A number that stands for a value: ids for themselves, 64 bits of a hash for text, 0 for nothing."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big", signed=True) or 1


@dataclass(frozen=True, slots=True)
class Facet:
    """The distinct keys in order, and for each id the place of its own."""

    keys: Ints
    codes: NDArray[Any]

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.codes.nbytes


@dataclass(frozen=True, slots=True)
class Pairs:
    """Keys of which a job may have several, and the place of the job that has each."""

    keys: Ints
    places: NDArray[np.uint16]

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.places.nbytes


@dataclass(frozen=True, slots=True)
class Texts:
    """The distinct texts one after another, where each begins, and for each id the place of its own."""

    text: bytes
    starts: Ints
    codes: NDArray[Any]
    lately: dict[bytes, NDArray[np.uint8]] = field(default_factory=dict, compare=False, repr=False)
    """Which texts contain what was searched for lately, a bit for each: a page asks again for its counts, its other
    pages, and whenever a job changes."""

    @property
    def nbytes(self) -> int:
        return len(self.text) + self.starts.nbytes + self.codes.nbytes + LATELY * len(self.starts) // 8


Array: TypeAlias = NDArray[Any]
Column: TypeAlias = Facet | Pairs | Texts | Array


@dataclass(frozen=True, slots=True)
class Built:
    """A segment ready to be written: what is known of it as a whole (JSON), and its columns."""

    about: str
    columns: Mapping[str, bytes]


class Builder:
    """Makes a segment of ended jobs that come in pieces. Of a row it keeps a few numbers, and texts once: what a whole
    segment of rows takes would stay with the process, in small holes."""

    def __init__(self, first: int) -> None:
        """`first` is the segment's lowest id."""
        self._first = first
        self._states = np.zeros(SIZE, np.uint8)
        self._keys = {name: np.zeros(SIZE, np.int64) for name in FACETS}
        self._numbers = {name: np.zeros(SIZE, kind) for name, kind in NUMBERS.items()}
        self._pairs: dict[str, list[tuple[Ints, Ints]]] = {"tags": [], "runs": []}
        self._texts = {name: _Numbered(SPELLED[name][1] if name in SPELLED else tuple) for name in TEXTS}
        self._words: dict[str, set[str]] = {"type": set(), "category": set()}

    def add(self, rows: Sequence[Sequence[Any]], touched: Mapping[int, Parts] = MappingProxyType({})) -> None:
        """Take in ended jobs (columns: READ) that were not in earlier pieces; `touched`: what each read and wrote."""
        if not rows:
            return
        values = dict(zip(READ, zip(*rows, strict=True), strict=True))
        places = np.array(values["id"], np.int64) - self._first
        self._states[places] = [STATES.index(state) + 1 for state in values["state"]]
        for name, source in FACETS.items():
            keys = {value: key_of(value) for value in set(values[source])}
            self._keys[name][places] = [keys[value] for value in values[source]]
        for name, column in self._numbers.items():
            found = values["running_us" if name == "duration" else name]
            column[places] = [NONE if value is None else value for value in found]
        tags = ((place, json.loads(text)) for place, text in zip(places, values["tags"], strict=True))
        self._pairs["tags"].append(_pairs(tags))
        self._pairs["runs"].append(_pairs(_runs(places, values["id"], values["run_id"])))
        for name, (read, _) in SPELLED.items():
            self._texts[name].add(places, read(values))
        self._texts[TOUCHED].add(places, (touched.get(job_id, ()) for job_id in values["id"]))
        for name, known in self._words.items():
            known.update(values[name])

    def built(self) -> Built:
        """The segment of all that was added."""
        there = self._states != 0
        columns = {"state": self._states.tobytes()}
        columns |= {name: _facet(keys, there) for name, keys in self._keys.items()}
        columns |= {name: column.tobytes() for name, column in self._numbers.items()}
        columns |= {name: _joined(pieces) for name, pieces in self._pairs.items()}
        columns |= {name: texts.to_bytes(wide=name in WIDE) for name, texts in self._texts.items()}
        counts = {state: int((self._states == code).sum()) for code, state in enumerate(STATES, 1)}
        bounds = {name: _bounds(column[there]) for name, column in self._numbers.items()}
        about = {**HEADER, "counts": counts, "bounds": bounds,
                 "types": sorted(self._words["type"]), "categories": sorted(self._words["category"])}  # fmt: skip
        return Built(json.dumps(about), columns)


class _Numbered:
    """Distinct texts, numbered as they come, and for each id the number of its own."""

    def __init__(self, spell: Callable[[Parts], Parts]) -> None:
        self._spell = spell
        self._known: dict[Parts, int] = {(): 0}
        self._codes = np.zeros(SIZE, np.uint16)

    def add(self, places: Ints, values: Iterable[Parts]) -> None:
        self._codes[places] = [self._known.setdefault(parts, len(self._known)) for parts in values]

    def to_bytes(self, *, wide: bool) -> bytes:
        texts = [folded("\0".join(("", *self._spell(parts)))).encode("utf-8", "surrogatepass") for parts in self._known]
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        codes = self._codes if wide else self._codes.astype(_codes(len(texts)))
        return b"".join([np.int64(len(texts)).tobytes(), starts.tobytes(), codes.tobytes(), *texts])


def _codes(count: int) -> type[np.uint8 | np.uint16]:
    """The numbers that can tell so many values apart."""
    return np.uint8 if count <= 256 else np.uint16


def _bounds(known: Array) -> list[int]:
    return [int(known.min()), int(known.max())] if len(known) else [0, 0]


def _facet(dense: Ints, there: Mask) -> bytes:
    keys, found = np.unique(dense[there], return_inverse=True)
    codes = np.zeros(SIZE, _codes(len(keys)))
    codes[there] = found
    return np.int64(len(keys)).tobytes() + keys.tobytes() + codes.tobytes()


def _pairs(of: Iterable[tuple[Any, Sequence[str]]]) -> tuple[Ints, Ints]:
    pairs = [(key_of(value), place) for place, values in of for value in values]
    return np.array([k for k, _ in pairs], np.int64), np.array([p for _, p in pairs], np.int64)


def _joined(pieces: Sequence[tuple[Ints, Ints]]) -> bytes:
    keys = b"".join(keys.tobytes() for keys, _ in pieces)
    return np.int64(len(keys) // 8).tobytes() + keys + b"".join(p.astype(np.uint16).tobytes() for _, p in pieces)


def _runs(places: Ints, ids: Sequence[int], run_ids: Sequence[str]) -> Iterable[tuple[Any, list[str]]]:
    """The run ids that lead to each job that is not at the top, its own among them."""
    for place, job_id, run_id in zip(places, ids, run_ids, strict=True):
        if run_id != str(job_id):
            parts = run_id.split(".")
            yield place, [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def parse(name: str, data: bytes) -> Column:
    """A column as it was written."""
    if name in NUMBERS:
        return np.frombuffer(data, NUMBERS[name])
    if name == "state":
        return np.frombuffer(data, np.uint8)
    count = int(np.frombuffer(data, np.int64, 1)[0])
    head = 8 + 8 * count
    numbers = np.frombuffer(data, np.int64, count, 8)
    if name in FACETS:
        return Facet(numbers, np.frombuffer(data, _codes(count), SIZE, head))
    if name in TEXTS:
        codes = np.frombuffer(data, np.uint16 if name in WIDE else _codes(count), SIZE, head)
        return Texts(data[head + codes.nbytes :], numbers, codes)
    return Pairs(numbers, np.frombuffer(data, np.uint16, count, head))
