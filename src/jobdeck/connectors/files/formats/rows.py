"""From what a file holds to the wanted columns; rows that do not fit are rejected, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.base import Reject
from jobdeck.connectors.casting import exact, reason
from jobdeck.connectors.columns import a_type
from jobdeck.connectors.files.config import OnBadRow
from jobdeck.connectors.files.formats.bad_rows import MOST
from jobdeck.connectors.words import TextRule, cut_up, end_to_end, without_nulls
from jobdeck.core.values import clip

LONGEST_VALUE = 200
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "D": "days"}
BadValues = dict[int, tuple[str, str | None, str]]
"""Rows of a batch with a value that is none: column, value and reason, by the row's place."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Rows as the file has them. `numbers[i]` is the data row (from 1) of row i; `line_of` finds a row's line."""

    table: pa.RecordBatch
    numbers: Sequence[int]
    line_of: Callable[[int], int | None]
    rejects: list[Reject] = field(default_factory=list)
    """Rows that are no rows at all: too few fields, no JSON."""
    notes: list[str] = field(default_factory=list)
    """What people should be told of these rows."""

    @property
    def consumed(self) -> int:
        return int(self.table.num_rows) + len(self.rejects)


def without(raw: Raw, bad: BadValues, file: str) -> Raw:
    """`raw` with those of its rows rejected."""
    if not bad:
        return raw
    rejects = [
        Reject(file, raw.numbers[place], column, value and clip(value, LONGEST_VALUE), reason, raw.line_of(place))
        for place, (column, value, reason) in sorted(bad.items())
    ]
    kept = [place for place in range(raw.table.num_rows) if place not in bad]
    table = raw.table.take(pa.array(kept, pa.int64()))
    return Raw(table, [raw.numbers[i] for i in kept], lambda i: raw.line_of(kept[i]), [*raw.rejects, *rejects])


@dataclass(frozen=True, slots=True)
class Fitting:
    """How one file's columns become the wanted ones."""

    file: str
    schema: pa.Schema
    sources: list[str | None]
    required: frozenset[str]
    rule: TextRule
    on_bad_row: OnBadRow


def fitted(raw: Raw, how: Fitting) -> tuple[pa.RecordBatch, list[Reject]]:
    """The rows that fit, in the wanted schema, and the others; of those no more than a failure names where the first
    one ends the import."""
    rejects = list(raw.rejects)
    bad: dict[int, Reject] = {}
    columns = []
    cleared, how = _cleared(raw, how)
    for place, (target, source) in enumerate(zip(how.schema, how.sources, strict=True)):
        if source is None:
            columns.append(pa.nulls(raw.table.num_rows, target.type))
            continue
        column = raw.table.column(source)
        columns.append(_column(raw, column, cleared.get(place, column), source, target, how, bad))
    rejects += bad.values()
    batch = pa.record_batch(columns, schema=how.schema)
    if bad:
        keep = np.ones(raw.table.num_rows, bool)
        keep[list(bad)] = False
        batch = batch.filter(pa.array(keep))
    return batch, sorted(rejects, key=lambda r: r.row)


def _cleared(raw: Raw, how: Fitting) -> tuple[dict[int, pa.Array], Fitting]:
    """The columns of text that are to become something else, nulls in the place of words that mean it."""
    if not how.rule.nulls:
        return {}, how
    texts = {
        place: raw.table.column(source)
        for place, (target, source) in enumerate(zip(how.schema, how.sources, strict=True))
        if source is not None and not t.is_string(target.type)
    }
    if texts and raw.table.num_rows:
        words = without_nulls(end_to_end(list(texts.values())), how.rule)
        texts = dict(zip(texts, cut_up(words, len(texts)), strict=True))
    return texts, replace(how, rule=replace(how.rule, cleared=True))


def _column(
    raw: Raw,
    column: pa.Array,
    cleared: pa.Array,
    source: str,
    target: pa.Field,
    how: Fitting,
    bad: dict[int, Reject],
) -> pa.Array:
    found = exact(cleared, target.type, how.rule)
    if found.wrong is not None:
        for place in np.flatnonzero(found.wrong)[: MOST if how.on_bad_row == "fail" else None].tolist():
            if place not in bad:
                bad[place] = _reject(raw, place, column, source, _wrong(column, place, target.type, how.rule), how)
    result = found.values
    if target.name in how.required and result.null_count:
        for place in np.flatnonzero(result.is_null(nan_is_null=False).to_numpy(zero_copy_only=False)).tolist():
            if place not in bad:
                bad[place] = _reject(raw, place, column, source, "empty, and keys must not be", how)
    return result


def _wrong(column: pa.Array, place: int, target: pa.DataType, rule: TextRule) -> str:
    why = reason(_value(column, place), column.type, target, rule)
    return f"not {a_type(target)}" + (f": {why}" if why else "")


def _value(column: pa.Array, place: int) -> Any:
    """As Python has it; as Arrow writes it where Python has no such value."""
    try:
        return column[place].as_py()
    except (ValueError, OverflowError, ArithmeticError):
        if t.is_nested(column.type):
            return a_type(column.type)
        if t.is_temporal(column.type):
            number = column.slice(place, 1).cast(pa.int32() if column.type.bit_width == 32 else pa.int64())[0].as_py()
            return f"{number} {_UNITS.get(getattr(column.type, 'unit', 'D'), 'units')} since 1970"
        return str(column.slice(place, 1).cast(pa.string())[0].as_py())


def _reject(raw: Raw, place: int, column: pa.Array, source: str, reason: str, how: Fitting) -> Reject:
    value = _value(column, place)
    text = None if value is None else clip(value if isinstance(value, str) else str(value), LONGEST_VALUE)
    return Reject(how.file, raw.numbers[place], source, text, reason, raw.line_of(place))
