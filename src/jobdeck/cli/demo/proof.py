"""The proof that every row is there: rows counted by the server, and a checksum over what the table really holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from jobdeck.cli.demo.data import Dataset
from jobdeck.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Content:
    """What a set of rows is, whatever their order."""

    rows: int
    checksum: str
    """The sum of one hash per row."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One table's rows as the source has them, as the server counts them, and as they are read back."""

    dataset: Dataset
    source: Content
    counted: int | None
    stored: Content

    @property
    def holds(self) -> bool:
        """Whether all three agree, so that every row is there, once, and unchanged."""
        return self.stored == self.source and self.counted == self.source.rows


def prove(dataset: Dataset, counted: int | None, storage: Path) -> Proof:
    """Compare the source with the table in `storage`, read past Jobdeck by the Delta Lake library.

    `counted`: the rows of the table as the server says. Raises NotFound when there is no such table."""
    stored = DeltaTable(str(table_folder(storage, dataset))).to_pyarrow_table()
    schema = dataset.rows.schema
    return Proof(dataset, content(dataset.rows, schema), counted, content(stored, schema))


def content(rows: pa.Table, schema: pa.Schema) -> Content:
    """The content of `rows` in the columns and types of `schema`.

    A file format may bring a column back in a wider type (a time from JSON is text), so values are compared in the type
    of the source. A value that does not fit it, or another set of columns, gives a checksum equal to no other."""
    if set(rows.column_names) != set(schema.names):
        return Content(rows.num_rows, f"columns {', '.join(rows.column_names)}")
    try:
        return _sum(rows.select(schema.names).cast(schema))
    except pa.ArrowInvalid as error:
        return Content(rows.num_rows, f"values {error}")


def _sum(rows: pa.Table) -> Content:
    columns = ", ".join(f'"{name}"' for name in rows.column_names)
    query = f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM content"  # noqa: S608 - names of our own schema
    with duckdb.connect() as database:
        database.register("content", rows)
        count, total = database.execute(query).fetchone() or (0, None)
    return Content(count, f"{int(total or 0) % 2**64:016x}")


def table_folder(storage: Path, dataset: Dataset) -> Path:
    """The folder of the data set's Delta table below `storage`, told by its log."""
    for log in storage.rglob("_delta_log"):
        if log.parent.parts[-2:] == ("demo", dataset.name):
            return log.parent
    raise NotFound(f"There is no table '{dataset.ref}' below {storage}.", hint="Run the demo again.")
