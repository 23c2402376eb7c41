"""How a segment is laid out: its columns, made from rows, as bytes and as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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

    @property
    def nbytes(self) -> int:
        return len(self.text) + self.starts.nbytes + self.codes.nbytes


Array: TypeAlias = NDArray[Any]
Column: TypeAlias = Facet | Pairs | Texts | Array


@dataclass(frozen=True, slots=True)
class Built:
    """A segment ready to be written: what is known of it as a whole (JSON), and its columns."""

    about: str
    columns: Mapping[str, bytes]


def build(rows: Sequence[Sequence[Any]], first: int) -> Built:
    """The segment of the ended jobs `rows` (columns: READ), whose ids begin at `first`."""
    values = dict(zip(READ, zip(*rows, strict=True) if rows else ((),) * len(READ), strict=True))
    places = np.array(values["id"], np.int64) - first
    codes = [STATES.index(state) + 1 for state in values["state"]]
    columns = {"state": _dense(places, codes, np.uint8).tobytes()}
    for name, source in FACETS.items():
        columns[name] = _facet(places, values[source])
    numbers = {name: values["running_us" if name == "duration" else name] for name in NUMBERS}
    bounds = {}
    for name, found in numbers.items():
        known = [NONE if value is None else value for value in found]
        columns[name] = _dense(places, known, NUMBERS[name]).tobytes()
        bounds[name] = [min(known, default=0), max(known, default=0)]
    columns["tags"] = _pairs((place, json.loads(tags)) for place, tags in zip(places, values["tags"], strict=True))
    columns["runs"] = _pairs(_runs(places, values["id"], values["run_id"]))
    columns["descriptions"] = _texts(places, [(text,) for text in values["description"]])
    columns["names"] = _texts(places, list(_names(values)))
    counts = {state: codes.count(code) for code, state in enumerate(STATES, 1)}
    about = {"counts": counts, "bounds": bounds, "types": sorted(set(values["type"]))}
    return Built(json.dumps(about), columns)


def _dense(places: Ints, values: Sequence[int] | Array, kind: Any) -> Array:
    column = np.zeros(SIZE, kind)
    column[places] = np.array(values, kind)
    return column


def _facet(places: Ints, values: Sequence[int | str | None]) -> bytes:
    key_by_value = {value: key_of(value) for value in set(values)}
    keys, found = np.unique(np.array([key_by_value[value] for value in values], np.int64), return_inverse=True)
    codes = _dense(places, found, np.uint8 if len(keys) <= 256 else np.uint16)
    return np.int64(len(keys)).tobytes() + keys.tobytes() + codes.tobytes()


def _pairs(of: Iterable[tuple[Any, Sequence[str]]]) -> bytes:
    pairs = [(key_of(value), place) for place, values in of for value in values]
    keys, places = np.array([k for k, _ in pairs], np.int64), np.array([p for _, p in pairs], np.uint16)
    return np.int64(len(pairs)).tobytes() + keys.tobytes() + places.tobytes()


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


def _texts(places: Ints, values: Sequence[tuple[str, ...]]) -> bytes:
    known: dict[tuple[str, ...], int] = {}
    codes = [known.setdefault(parts, len(known)) for parts in values]
    texts = [b"\0" + folded("\0".join(parts)) for parts in known]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if texts else ends
    return b"".join([
        np.int64(len(texts)).tobytes(), starts.tobytes(), _dense(places, codes, np.uint16).tobytes(), *texts
    ])  # fmt: skip


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
