"""What is known of the files once they were looked at: the plan that all tasks of a read work by."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, Field, PrivateAttr

from jobdeck.connectors.files.detect import Detected
from jobdeck.connectors.files.finding.found import Located


class Slice(BaseModel):
    """A range of one file from `start` to before `end`: bytes of the unpacked text, row groups (Parquet), rows (NumPy).

    `first_row` counts data rows from 1, `first_line` lines of the file from 1."""

    file: int = 0
    start: int
    end: int
    first_row: int = 1
    first_line: int = 1
    rows: int
    bytes: int


class FileFacts(BaseModel):
    """One file: its format, its columns as it has them, and how it can be split."""

    located: Located
    detected: Detected
    dialect: dict[str, Any] = Field(default_factory=dict)
    """What the format's reader needs to read any slice by itself (delimiter, quoting, header …)."""
    columns: str
    """The file's columns, as a serialized Arrow schema."""
    soft: bool = False
    """The types are a reading of text: another type may be asked for, and values that do not fit are bad rows."""
    rows: int = 0
    slices: list[Slice] = Field(default_factory=list)
    partition: dict[str, str | None] = Field(default_factory=dict)
    """Columns that the names of the folders give: the same text, or null, in every row."""
    _held: pa.Schema | None = PrivateAttr(None)
    notes: list[str] = Field(default_factory=list)
    """What people should be told of this file, though it can be read."""
    texts: dict[str, str] = Field(default_factory=dict)
    """What to tell of columns that are text for the sake of a few values, by column."""

    def held(self) -> pa.Schema:
        """The file's columns, those that its folders give included."""
        if self._held is None:
            self._held = load_schema(self.columns)
        return self._held

    def is_text(self, column: str) -> bool:
        """Whether the column's type is a reading of text, so that another may be asked for."""
        return self.soft or column in self.partition


class Mapping(BaseModel):
    """For one file: the file's column for each column of the result, None where the file has none."""

    sources: list[str | None]


class FilesPlan(BaseModel):
    """All files of a read, the schema of the result, and the parts that tasks do."""

    files: list[FileFacts]
    mappings: list[Mapping]
    columns: str
    """The result's columns, as a serialized Arrow schema."""
    parts: list[list[Slice]] = Field(default_factory=list)
    required: list[str] = Field(default_factory=list)
    """Columns of the result in which null is a bad value."""
    remarks: list[str] = Field(default_factory=list)
    """What people should be told of the columns of the result."""
    looks: int = 1
    """How often the files were looked at: more than once after a resume."""

    def result(self) -> pa.Schema:
        """The schema of the result."""
        return load_schema(self.columns)


def dump_schema(schema: pa.Schema) -> str:
    """A schema as text; `load_schema` is the inverse."""
    return base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode()


def load_schema(text: str) -> pa.Schema:
    """What `dump_schema` made."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
