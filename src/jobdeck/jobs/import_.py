"""The job type `import`: files into a table. Cheap to load: what reads and writes data is imported when a step runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput, TaskFailure
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.refs import ObjectRef
from jobdeck.core.tasks import Run

if TYPE_CHECKING:
    from jobdeck.jobs.import_work import Work


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

    files: list[str] = Field(
        min_length=1, max_length=10_000, description="Paths of the server, file:<id>, or s3://…; patterns too."
    )
    into: ObjectRef
    format: Literal["auto", "parquet", "csv", "json", "jsonl", "numpy"] = "auto"
    mode: Literal["append", "replace", "upsert"] = "append"
    create: bool = Field(True, description="Make the table when there is none.")
    key: list[str] = Field(default_factory=list, description="For upsert: the columns that tell rows apart.")
    columns: list[str | ColumnWish] | dict[str, str | ColumnChange] | None = Field(
        None, description="A list chooses columns; a mapping gives some another type or name."
    )
    csv: CsvFormat = Field(default_factory=lambda: CsvFormat.model_validate({}))
    on_bad_row: Literal["fail", "reject"] = "fail"


class Part(BaseModel):
    """What one task loads; the details are in the job's plan in the storage."""

    index: int
    rows: int
    bytes: int


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


class Imported(BaseModel):
    """The job's result. `rejects`: the files with the rows that did not fit, below the project's folder."""

    into: str
    version: int | None
    rows: int
    rejected: int = 0
    rejects: list[str] = Field(default_factory=list)


class Import(JobType):
    """Load files into a table."""

    name: ClassVar[str] = "import"
    category: ClassVar[str] = "storage"
    chunk_rows: ClassVar[int] = 131_072
    """Rows between two checkpoints of a task."""
    part_bytes: ClassVar[int] = 64 * 1024 * 1024
    """Bytes of unpacked text or Parquet that one task loads, about."""

    Params = ImportParams

    def writes(self) -> list[object]:
        return [self.params.into]

    def reads(self) -> list[object]:
        return []

    def subject(self) -> str:
        return str(self.params.into)

    def description(self) -> str:
        files = self.params.files
        what = files[0].rstrip("/").rpartition("/")[2] or files[0] if len(files) == 1 else f"{len(files)} files"
        return f"Import {what} into {self.params.into}"

    def check(self, environment: Environment) -> None:
        """Whether files, paths, target, key and options can work. Raises InvalidInput naming the field."""
        from jobdeck.jobs.import_checks import check

        check(self.params, environment)

    @step(weight=0.3)
    def inspect(self, run: Run) -> list[Part]:
        """Look at all of all files: formats, columns, types, rows. Nothing is written but the plan."""
        return self._work(run).inspect()

    @step(each="inspect", weight=1.0)
    def load(self, run: Run, part: Part) -> Loaded:
        """Read one part and stage it beside the table, unseen."""
        return self._work(run).load(part)

    @step(weight=0.1)
    def publish(self, run: Run) -> Imported:
        """Make all parts visible in one commit."""
        return self._work(run).publish([as_loaded(item) for item in run.result("load") or []])

    def undo(self, run: Run) -> None:
        """Remove what was staged, unless it was published."""
        self._work(run).undo()

    def _work(self, run: Run) -> Work:
        from jobdeck.jobs.import_work import Work

        return Work(self.params, run, self.chunk_rows, self.part_bytes)


def as_loaded(item: Any) -> Loaded:
    return item if isinstance(item, Loaded) else Loaded.model_validate(item)


def refuse(error: TaskFailure | InvalidInput, field: str) -> InvalidInput:
    """The same words, as a refusal of what was asked for."""
    return InvalidInput(error.message, field=field, hint=error.hint)


def doubles(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
