"""The job type `import`: files into a table. Cheap to load: what moves data is imported when a step runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from jobdeck.core.environment import Environment
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.preview import Preview
from jobdeck.core.tasks import Run
from jobdeck.jobs.import_models import Imported, ImportParams, Loaded, Part, as_loaded

if TYPE_CHECKING:
    from jobdeck.jobs.import_work import Work


class Import(JobType):
    """Load files into a table."""

    name: ClassVar[str] = "import"
    category: ClassVar[str] = "storage"
    credits_per_gb: ClassVar[float] = 1.0
    chunk_rows: ClassVar[int] = 131_072
    """Rows between two checkpoints of a task."""
    looks_again: ClassVar[str | None] = "inspect"
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
        what = files[0].rstrip("/").rpartition("/")[2] or files[0]
        if len(files) > 1:
            what += f" and {len(files) - 1} more"
        return f"Import {what} into {self.params.into}"

    def check(self, environment: Environment) -> None:
        """Whether files, paths, target, key and options can work. Raises InvalidInput naming the field."""
        from jobdeck.jobs.import_checks import check

        check(self.params, environment)

    def preview(self, run: Run) -> Preview:
        """Files, formats and columns as far as a short look shows them, and what would be refused."""
        from jobdeck.jobs.import_preview import Look

        return Look(self.params, run.environment, self.part_bytes).preview()

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
