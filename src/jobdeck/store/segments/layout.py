"""How a segment is laid out: its columns, made from rows, as bytes and as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobdeck.core.values import encode
from jobdeck.store.segments.spans import SIZE

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

STATES = ("canceled", "failed", "succeeded")
"""The states that a segment knows, by code from 1; 0 is an id without an ended job."""
NONE = -1
"""No time: of a job that ended before it began."""
COMMAND_TYPE = "command"
"""The job type whose command line is searched, too: `argv` of its parameters."""

FACETS = {
    "project": "project_id", "type": "type", "category": "category", "created_by": "created_by", "token": "token_id",
    "configuration": "configuration_id", "parent": "parent_id", "subject": "subject", "error_code": "error_code",
    "error_fingerprint": "error_fingerprint",
}  # fmt: skip
"""Columns compared for equality, with the column of jobs that each is made from."""
NUMBERS = {"created_at": np.int64, "started_at": np.int64, "ended_at": np.int64, "duration": np.int64,
           "priority": np.int8}  # fmt: skip
"""Columns compared by size."""
LATELY = 4
"""Searches whose answers a column of texts remembers."""
TEXTS = ("descriptions", "names")
"""Columns that are searched for a piece of text: the second has subject, type and command line."""
READ = (
    "id", "state", *FACETS.values(), "created_at", "started_at", "ended_at", "running_us", "priority", "run_id", "tags",
    "description", "params",
)  # fmt: skip
"""The columns of jobs that a segment is made from."""


def key_of(value: int | str | None) -> int:
    """A number that stands for a value: ids for themselves, 64 bits of a hash for text, 0 for nothing."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big", signed=True) or 1


def folded(text: str) -> bytes:
    """As text is searched: A to Z small, all else as it is; the same on every database."""
    return text.encode("utf-8", "surrogatepass").lower()


def command_line(params: str) -> str:
    """What is searched of the parameters of a job that runs a command."""
    argv = json.loads(params).get("argv")
    return "" if argv is None else encode(argv).replace('","', " ")


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
    codes: NDArray[np.uint16]
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
        self._texts = {name: _Numbered() for name in TEXTS}
        self._types: set[str] = set()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take in ended jobs (columns: READ) that were not in earlier pieces."""
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
        self._texts["descriptions"].add(places, ((text,) for text in values["description"]))
        self._texts["names"].add(places, _names(values))
        self._types.update(values["type"])

    def built(self) -> Built:
        """The segment of all that was added."""
        there = self._states != 0
        columns = {"state": self._states.tobytes()}
        columns |= {name: _facet(keys, there) for name, keys in self._keys.items()}
        columns |= {name: column.tobytes() for name, column in self._numbers.items()}
        columns |= {name: _joined(pieces) for name, pieces in self._pairs.items()}
        columns |= {name: texts.to_bytes() for name, texts in self._texts.items()}
        counts = {state: int((self._states == code).sum()) for code, state in enumerate(STATES, 1)}
        bounds = {name: _bounds(column[there]) for name, column in self._numbers.items()}
        return Built(json.dumps({"counts": counts, "bounds": bounds, "types": sorted(self._types)}), columns)


class _Numbered:
    """Distinct texts, numbered as they come, and for each id the number of its own."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], int] = {}
        self._codes = np.zeros(SIZE, np.uint16)

    def add(self, places: Ints, values: Iterable[tuple[str, ...]]) -> None:
        self._codes[places] = [self._known.setdefault(parts, len(self._known)) for parts in values]

    def to_bytes(self) -> bytes:
        texts = [b"\0" + folded("\0".join(parts)) for parts in self._known]
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if texts else ends
        return b"".join([np.int64(len(texts)).tobytes(), starts.tobytes(), self._codes.tobytes(), *texts])


def _bounds(known: Array) -> list[int]:
    return [int(known.min()), int(known.max())] if len(known) else [0, 0]


def _facet(dense: Ints, there: Mask) -> bytes:
    keys, found = np.unique(dense[there], return_inverse=True)
    codes = np.zeros(SIZE, np.uint8 if len(keys) <= 256 else np.uint16)
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


def _names(values: Mapping[str, Sequence[Any]]) -> Iterable[tuple[str, ...]]:
    """What is searched besides the description, and is the same for many jobs."""
    for subject, type_name, params in zip(values["subject"], values["type"], values["params"], strict=True):
        yield subject or "", type_name, command_line(params) if type_name == COMMAND_TYPE else ""


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
        return Facet(numbers, np.frombuffer(data, np.uint8 if count <= 256 else np.uint16, SIZE, head))
    if name in TEXTS:
        return Texts(data[head + 2 * SIZE :], numbers, np.frombuffer(data, np.uint16, SIZE, head))
    return Pairs(numbers, np.frombuffer(data, np.uint16, count, head))
