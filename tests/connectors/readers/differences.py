"""Where Jobdeck's reading differs from another tool's, and why its answer is right. What is not here is a fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobdeck.connectors.files.config import NULL_WORDS
from jobdeck.connectors.files.formats.csv_dialect import MARK
from tests.connectors.readers.canon import agree
from tests.connectors.readers.made import Made, Refused, Table


@dataclass
class Case:
    """One difference: of a value (`ours` and `value`, the peer's, in `column`), of a whole table, or a refusal.

    `said`: the reference, what the bytes say without any guess."""

    made: Made
    peer: str
    column: str
    table: Table | None = None
    theirs: Table | None = None
    said: Table | None = None
    ours: Any = None
    value: Any = None
    kinds: tuple[str, str] = ("", "")
    row: int | None = None
    type: str = ""
    refused: Refused | None = None
    place: int = 0
    """Of a name: which column it is."""

    @property
    def of_value(self) -> bool:
        return self.row is not None

    @property
    def of_table(self) -> bool:
        return self.row is None and self.theirs is not None

    @property
    def written(self) -> Any:
        """What the file says in this place; `NOT_KNOWN` where nobody can tell."""
        said = self.said
        if said is None or self.row is None or self.table is None or said.rows != self.table.rows:
            return NOT_KNOWN
        if self.column not in said.names:
            return NOT_KNOWN
        return said.columns[said.names.index(self.column)][self.row]


NOT_KNOWN = object()


@dataclass(frozen=True)
class Difference:
    """`why` argues for Jobdeck's answer; `applies` says when it is this one."""

    name: str
    why: str
    applies: Callable[[Case], bool]


def _csv(case: Case) -> bool:
    return case.made.format == "csv" and case.of_value


def _json(case: Case) -> bool:
    return case.made.format in ("json", "jsonl") and case.of_value


def _as_written(case: Case) -> bool:
    return case.of_value and case.written is not NOT_KNOWN and agree(case.ours, case.written)


def _table_as_said(case: Case) -> bool:
    """Ours has the names and the number of rows that the reference has."""
    if not case.of_table or case.said is None or case.table is None:
        return False
    return sorted(case.table.names) == sorted(case.said.names) and case.table.rows == case.said.rows


def _joined(case: Case) -> bool:
    """Ours is what the file says behind a byte order mark at the beginning of a row."""
    if not _csv(case) or case.table is None or case.column != case.table.names[0]:
        return False
    written = case.written
    behind = written.lstrip(MARK) if isinstance(written, str) and written.startswith(MARK) else ""
    return behind != "" and ((case.ours is None and behind in NULL_WORDS) or agree(case.ours, behind))


NAMES: list[Difference] = [
    Difference(
        "empty names",
        "Documented: an empty header cell becomes column_N, so that every column can be named; peers keep it empty or "
        "call it otherwise.",
        lambda c: c.column == f"column_{c.place + 1}" and (not c.value.strip() or c.value == f"Unnamed: {c.place}"),
    ),
    Difference(
        "trimmed names",
        "Blanks and line ends around a name are no part of it: nobody could tell such columns apart, or name them.",
        lambda c: c.made.format == "csv" and c.value.strip() == c.column,
    ),
]
"""Of names: `column` is ours, `value` the peer's."""

ALL: list[Difference] = [
    Difference(
        "fortran order",
        "Documented: rows of an array in Fortran order lie all over the file, so that it cannot be read piece by "
        "piece; the error says how to save it.",
        lambda c: c.made.format == "numpy" and c.refused is not None and "Fortran order" in c.refused.message,
    ),
    Difference(
        "no columns",
        "A file of JSON without a single named value tells of no column, and a table needs one; what is refused with a "
        "clear error loses nothing.",
        lambda c: (
            c.refused is not None and c.refused.code == "schema_mismatch" and c.said is not None and not c.said.columns
        ),
    ),
    Difference(
        "null words",
        "Documented: in columns that are not text, these words and nothing at all mean null. A column with nothing "
        "else is one of nulls.",
        lambda c: _csv(c) and c.ours is None and (c.written if c.written is not NOT_KNOWN else c.value) in NULL_WORDS,
    ),
    Difference(
        "text stays text",
        "Documented: in text columns everything stays text, also the empty text and words that mean null elsewhere; "
        "the peer makes null of them.",
        lambda c: _csv(c) and c.value is None and c.type == "string" and _as_written(c),
    ),
    Difference(
        "marks of joined files",
        "A byte order mark at the beginning of a row is where files were joined, and no part of a value; it is told in "
        "a warning with its line.",
        _joined,
    ),
    Difference(
        "NaN is a number",
        "Parquet and NumPy tell a float that is no number from a null, and so does Jobdeck; the peer's table has "
        "one mark for both.",
        lambda c: (
            c.of_value and c.peer == "pandas" and c.value is None and isinstance(c.ours, float) and math.isnan(c.ours)
        ),
    ),
    Difference(
        "years of calendars",
        "Days and times outside of the years 1 to 9999 are bad rows: no calendar of people has them, and "
        "Python, JSON and most databases cannot show them.",
        lambda c: c.refused is not None and "not of the years 1 to 9999" in c.refused.message,
    ),
    Difference(
        "as written",
        "Jobdeck's value is exactly what the file says (by Python's csv or json, which guess nothing); the peer "
        "rounds, converts or drops.",
        _as_written,
    ),
    Difference(
        "rows as written",
        "Names and rows are those of the file by Python's csv or json; the peer skips, joins, renames or leaves out.",
        _table_as_said,
    ),
]
