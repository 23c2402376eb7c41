"""From what a file holds to the wanted columns; rows that do not fit are rejected, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from jobdeck.connectors.base import Reject
from jobdeck.connectors.columns import type_name
from jobdeck.connectors.errors import BadRow
from jobdeck.connectors.files.config import OnBadRow
from jobdeck.connectors.files.formats.types import TextRule, fit, misfits
from jobdeck.core.values import clip

LONGEST_VALUE = 200
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
    """The rows that fit, in the wanted schema, and the others. Raises BadRow for the first of those where asked to."""
    rejects = list(raw.rejects)
    bad: dict[int, Reject] = {}
    columns = []
    for target, source in zip(how.schema, how.sources, strict=True):
        if source is None:
            columns.append(pa.nulls(raw.table.num_rows, target.type))
            continue
        columns.append(_column(raw, raw.table.column(source), source, target, how, bad))
    rejects += bad.values()
    if rejects and how.on_bad_row == "fail":
        raise bad_row(min(rejects, key=lambda r: r.row))
    batch = pa.record_batch(columns, schema=how.schema)
    if bad:
        keep = np.ones(raw.table.num_rows, bool)
        keep[list(bad)] = False
        batch = batch.filter(pa.array(keep))
    return batch, sorted(rejects, key=lambda r: r.row)


def _column(
    raw: Raw, column: pa.Array, source: str, target: pa.Field, how: Fitting, bad: dict[int, Reject]
) -> pa.Array:
    try:
        result = fit(column, target.type, how.rule)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        places = misfits(column, target.type, how.rule, 1 if how.on_bad_row == "fail" else None)
        for place in places:
            bad.setdefault(place, _reject(raw, place, column, source, f"not a {type_name(target.type)}", how))
        mask = np.zeros(len(column), bool)
        mask[places] = True
        if how.on_bad_row == "fail":
            return pa.nulls(len(column), target.type)
        emptied = pa.array(np.arange(len(column)), mask=mask)
        result = fit(column.take(emptied), target.type, how.rule)
    if target.name in how.required and result.null_count:
        for place in np.flatnonzero(result.is_null(nan_is_null=False).to_numpy(zero_copy_only=False)).tolist():
            bad.setdefault(place, _reject(raw, place, column, source, "empty, and keys must not be", how))
    return result


def _reject(raw: Raw, place: int, column: pa.Array, source: str, reason: str, how: Fitting) -> Reject:
    value = column[place].as_py() if column[place].is_valid else None
    text = None if value is None else clip(value if isinstance(value, str) else str(value), LONGEST_VALUE)
    return Reject(how.file, raw.numbers[place], source, text, reason, raw.line_of(place))


def bad_row(reject: Reject) -> BadRow:
    """The failure that tells of a row, with everything needed to find it."""
    line = f" (line {reject.line})" if reject.line is not None else ""
    column = f", column '{reject.column}'" if reject.column is not None else ""
    value = f": {reject.value!r} is {reject.reason}" if reject.value is not None else f" is {reject.reason}"
    return BadRow(
        f"{reject.file}: row {reject.row}{line}{column}{value}.",
        hint="Mend the file, or set on_bad_row=reject to load the other rows and have this one in the reject file.",
        row=reject.row,
        line=reject.line,
        column=reject.column,
        value=reject.value,
    )
