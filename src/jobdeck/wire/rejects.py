"""Rows that a job did not take, and the files they were put into."""

from __future__ import annotations

from pydantic import Field

from jobdeck.core.refs import with_id
from jobdeck.wire.base import Response


class RejectSource(Response):
    """A file that rejected rows come from."""

    file: str
    name: str | None = Field(default=None, description="Of a project file: the name that it was uploaded under.")
    rows: int

    @property
    def shown(self) -> str:
        """What people see: the name with the reference, where there is one."""
        return self.file if self.name is None else with_id(self.name, self.file)


class RejectFile(Response):
    """A file of rejected rows, a JSON object in each line."""

    name: str
    attempt: int
    bytes: int
    rows: int | None = Field(default=None, description="None where it was not counted.")
    sources: list[RejectSource] = Field(default_factory=list)
    source_count: int = Field(default=0, description="How many there are; those with most rejected rows are listed.")


class RejectedRow(Response):
    """A row that was not taken, and why."""

    file: str
    name: str | None = Field(default=None, description="Of a project file: the name that it was uploaded under.")
    row: int = Field(description="Data row of the file, from 1.")
    line: int | None = Field(default=None, description="Line of the file, from 1, where it has lines.")
    column: str | None = None
    value: str | None = None
    reason: str

    @property
    def shown(self) -> str:
        """What people see of the file: its name with the reference, where there is one."""
        return self.file if self.name is None else with_id(self.name, self.file)
