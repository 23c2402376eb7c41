"""What a trial is about: a file with what is known of it, and what reading it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """How a CSV file was written."""

    delimiter: str = ","
    quote: str | None = '"'


@dataclass
class Made:
    """A file of a trial. `how`: `written`, `mutated` or `random`; `tool`: who wrote it, before it was mutated."""

    path: Path
    format: str
    tool: str
    how: str
    dialect: Dialect = Dialect()
    params: dict[str, Any] = field(default_factory=dict)
    table: Any = None
    """What the tool was given, an Arrow table; None where the content is not known."""
    compression: str = ""


@dataclass
class Table:
    """Names, and canonical values by column."""

    names: list[str]
    columns: list[list[Any]]
    types: list[str] = field(default_factory=list)
    dialect: dict[str, Any] = field(default_factory=dict)
    """How Jobdeck read a CSV file."""

    @property
    def rows(self) -> int:
        return len(self.columns[0]) if self.columns else 0


@dataclass
class Refused:
    """It was not read, and why."""

    code: str
    message: str
