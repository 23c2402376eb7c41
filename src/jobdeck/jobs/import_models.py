"""What an import is asked for, and what its steps hand on. Cheap to load: the server lists the parameters' schema."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobdeck.core.errors import InvalidInput, TaskFailure
from jobdeck.core.refs import FileText, ObjectRef


class CsvFormat(BaseModel):
    """How CSV files are written; what is left out is found out or has the usual value."""

    model_config = ConfigDict(extra="forbid")

    delimiter: str | None = Field(None, description="One character; found out among , ; tab | when left out.")
    quote: str | None = Field('"', description="One character; null for files that do not quote.")
    escape: str | None = Field(None, description="One character; left out, quotes are doubled inside quotes.")
    header: bool = Field(True, description="Whether the first row has the column names.")
    encoding: str | None = Field(
        None, description="Such as latin-1; UTF-8 (or what a byte order mark says) when left out."
    )
    null_values: list[str] | None = Field(None, description="Texts that mean null in columns that are not text.")
    strings_can_be_null: bool = Field(
        False, description="Whether they mean null in text columns too, where not quoted."
    )
    decimal_point: Literal[".", ","] = "."
    skip_rows: int = Field(0, ge=0, le=10_000, description="Lines to leave out before the header.")


class ColumnWish(BaseModel):
    """A column of the table: its name, the file's column it comes from (`from`), its type."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str = Field(min_length=1)
    source: str | None = Field(None, alias="from")
    type: str | None = None


class ColumnChange(BaseModel):
    """How a column differs from the file's."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    source: str | None = Field(None, alias="from")
    type: str | None = None


class ImportParams(BaseModel):
    """What to import, and where."""

    model_config = ConfigDict(extra="forbid")

    files: list[FileText] = Field(
        min_length=1, max_length=10_000, description="Uploads (file:<id>), paths of the server, s3://…; patterns too."
    )
    into: ObjectRef = Field(description="The table that takes the rows, such as lake/in.shop/orders.")
    format: Literal["auto", "parquet", "csv", "json", "jsonl", "numpy"] = Field(
        "auto", description="auto looks at each file's name and first bytes."
    )
    mode: Literal["append", "replace", "upsert"] = Field(
        "append", description="What becomes of the rows there: kept, replaced, or replaced where keys are equal."
    )
    create: bool = Field(True, description="Make the table when there is none.")
    key: list[str] = Field(default_factory=list, description="For upsert: the columns that tell rows apart.")
    columns: list[str | ColumnWish] | dict[str, str | ColumnChange] | None = Field(
        None,
        description='A list chooses columns, `["id", "day"]`; a mapping gives some another type or name, '
        '`{"zip": "string"}`.',
    )
    csv: CsvFormat = Field(default_factory=lambda: CsvFormat.model_validate({}))
    on_bad_row: Literal["fail", "reject"] = Field(
        "fail", description="A row that does not fit ends the job, or goes to the reject file."
    )


class Part(BaseModel):
    """What one task loads; the details are in the job's plan in the storage."""

    index: int
    name: str = ""
    """What people call it: its files, and its rows where it is a part of one."""
    rows: int
    bytes: int
    mark: str = ""
    """Changes when loading it would give other rows."""


class StagedChunk(BaseModel):
    """A file in the table's folder that no version names yet."""

    path: str
    rows: int
    bytes: int


class Loaded(BaseModel):
    """What one task has staged."""

    index: int
    files: list[StagedChunk]
    rows: int
    rejected: int
    bytes: int
    reject_files: list[str] = Field(default_factory=list)
    sources: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """Rows and bytes read, by file."""
    names: dict[str, str] = Field(default_factory=dict)
    """The names that project files were uploaded under, by file."""


class Imported(BaseModel):
    """The job's result. `rejects`: the files with the rows that did not fit, below the project's folder.

    `kept_attempt`: the earlier attempt whose rows were in the table already, so that this one added none."""

    into: str
    version: int | None
    rows: int
    rejected: int = 0
    rejects: list[str] = Field(default_factory=list)
    kept_attempt: int | None = None


def as_loaded(item: Any) -> Loaded:
    """A task's result, whether or not it came typed."""
    return item if isinstance(item, Loaded) else Loaded.model_validate(item)


def refuse(error: TaskFailure | InvalidInput, field: str) -> InvalidInput:
    """The same words, as a refusal of what was asked for."""
    return InvalidInput(error.message, field=field, hint=error.hint)


def doubles(names: list[str]) -> list[str]:
    """Names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
