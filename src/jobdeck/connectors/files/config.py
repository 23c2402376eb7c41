"""What a read of files can be told: which files, which format, how CSV is written, what to do with bad rows."""

from __future__ import annotations

import codecs
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FormatName = Literal["auto", "parquet", "csv", "json", "jsonl", "numpy"]
OnBadRow = Literal["fail", "reject"]
_NO_FILES = ("idna", "punycode", "undefined")
"""Encodings of Python in which names are written, and no files."""
NULL_WORDS = ("", "NA", "N/A", "NULL", "null", "NaN", "nan", "\\N")


class CsvOptions(BaseModel):
    """How CSV files are written. What is left out is found out (delimiter, encoding) or has the usual value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delimiter: str | None = Field(None, description="One character; found out among , ; tab | when left out.")
    quote: str | None = Field('"', description="One character; null for files that do not quote.")
    escape: str | None = Field(None, description="One character; left out, quotes are doubled inside quotes.")
    header: bool = Field(True, description="Whether the first row has the column names.")
    encoding: str | None = Field(
        None, description="Such as latin-1; UTF-8 (or what a byte order mark says) when left out."
    )
    null_values: list[str] = Field(list(NULL_WORDS), description="Texts that mean null in columns that are not text.")
    strings_can_be_null: bool = Field(
        False, description="Whether they mean null in text columns too, where not quoted."
    )
    decimal_point: Literal[".", ","] = "."
    skip_rows: int = Field(0, ge=0, le=10_000, description="Lines to leave out before the header.")

    @field_validator("delimiter", "quote", "escape")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = {"\\t": "\t", "tab": "\t"}.get(value, value)
        if len(value) != 1 or not value.isascii() or value in "\r\n\0":
            raise ValueError("must be one ASCII character, and no line end")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            if codecs.lookup(value).name in _NO_FILES:
                raise LookupError
            "".encode(value)
        except (LookupError, UnicodeError) as error:
            raise ValueError(f"'{value}' is no known text encoding") from error
        return value

    @model_validator(mode="after")
    def _distinct(self) -> CsvOptions:
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark is not None]
        if len(set(marks)) != len(marks):
            raise ValueError("delimiter, quote and escape must be different characters")
        if self.decimal_point == "," and self.delimiter == ",":
            raise ValueError("the delimiter cannot be the decimal point")
        return self


class Wanted(BaseModel):
    """A column of the result: name, the file's column it comes from, type; what is left out is as in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    source: str | None = Field(None, alias="from")
    type: str | None = None

    @property
    def origin(self) -> str:
        return self.source if self.source is not None else self.name


class FilesConfig(BaseModel):
    """A read of one or many files as if they were one table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[str] = Field(min_length=1, max_length=10_000)
    format: FormatName = "auto"
    columns: list[str | Wanted] | dict[str, str | dict[str, str]] | None = None
    csv: CsvOptions = CsvOptions()
    on_bad_row: OnBadRow = "fail"

    def chosen(self) -> list[Wanted] | None:
        """Exactly these columns in this order (a list was given), or None: all."""
        if not isinstance(self.columns, list):
            return None
        return [Wanted(name=item) if isinstance(item, str) else item for item in self.columns]

    def adjusted(self) -> list[Wanted]:
        """Columns that get another name or type while all others stay (a mapping was given)."""
        if not isinstance(self.columns, dict):
            return []
        return [_adjustment(name, wish) for name, wish in self.columns.items()]

    @model_validator(mode="after")
    def _columns_make_sense(self) -> FilesConfig:
        names = [w.name.casefold() for w in (self.chosen() or self.adjusted())]
        if len(set(names)) != len(names):
            raise ValueError("columns: the same name is there twice")
        if self.columns is not None and not names:
            raise ValueError("columns: nothing is chosen")
        return self


def _adjustment(name: str, wish: str | dict[str, Any]) -> Wanted:
    if isinstance(wish, str):
        return Wanted(name=name, type=wish)
    return Wanted.model_validate({"name": name, **wish})
