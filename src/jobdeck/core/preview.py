"""What a job would do, told before it is submitted: what it reads, writes, maps, and what would be refused."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobdeck.core.refs import with_id

How = Literal["same", "read", "widened", "checked", "empty"]


class PlannedInput(BaseModel):
    """Something that would be read."""

    object: str
    name: str | None = Field(default=None, description="Of a project file: the name that it was uploaded under.")
    format: str | None = None
    rows: int | None = Field(default=None, description="None: not known without reading all of it.")
    bytes: int | None = None
    columns: int | None = None

    @property
    def shown(self) -> str:
        """What people see: the name with the reference, where there is one."""
        return self.object if self.name is None else with_id(self.name, self.object)


class PlannedOutput(BaseModel):
    """Something that would be written."""

    object: str
    action: str = Field(description="In one word: `create`, `append`, `replace`, `upsert`, …")
    exists: bool | None = None
    version: str | None = Field(default=None, description="Its newest version now.")
    rows: int | None = Field(default=None, description="Rows that would be written, where known.")


class PlannedColumn(BaseModel):
    """A column of an output, and where its values come from."""

    name: str
    type: str
    source: str | None = Field(default=None, description="The source's column; None where no source has one.")
    source_type: str | None = None
    how: How = Field(
        default="same",
        description="`same` type; `read` from text; `widened` without loss; `checked` value by value; `empty`: nulls.",
    )


class Refusal(BaseModel):
    """A reason why the job would fail."""

    code: str
    message: str
    hint: str | None = None
    object: str | None = Field(default=None, description="The file or object at fault, where it is one.")


class Preview(BaseModel):
    """What `JobType.preview` answers; every list is short enough to be shown, the counts are of all."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="", description="All of it in one or two sentences.")
    inputs: list[PlannedInput] = []
    input_count: int = 0
    outputs: list[PlannedOutput] = []
    columns: list[PlannedColumn] = []
    refusals: list[Refusal] = []
    notes: list[str] = Field(default=[], description="What else is worth knowing, a sentence each.")
    tasks: dict[str, int] = Field(default={}, description="Tasks of steps that an earlier step splits, by step.")
