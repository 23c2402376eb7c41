"""A job type of one's own: counts the words of text files, a task a file, and survives whatever happens."""

import json
from pathlib import Path

from pydantic import BaseModel, Field

from jobdeck import Environment, InvalidInput, JobType, Run, step


class WordCount(JobType):
    """Count the words of text files."""

    name = "word-count"

    class Params(BaseModel):
        files: list[Path] = Field(min_length=1)
        into: Path
        every: int = Field(1000, ge=1, description="Lines between two checkpoints.")

    def writes(self) -> list[Path]:
        return [self.params.into]  # claimed for this job alone while it runs

    def check(self, environment: Environment) -> None:  # noqa: ARG002
        for i, file in enumerate(self.params.files):
            if not file.is_file():
                raise InvalidInput(f"There is no file {file}.", field=f"params.files[{i}]")

    @step(each=lambda params: params.files, retries=2, backoff=1.0, weight=9)
    def count(self, run: Run, file: Path) -> int:
        so_far = run.cursor or {"offset": 0, "words": 0}
        size = file.stat().st_size
        with file.open("rb") as lines:
            lines.seek(so_far["offset"])
            for number, line in enumerate(lines, start=1):
                so_far = {"offset": so_far["offset"] + len(line), "words": so_far["words"] + len(line.split())}
                if number % self.params.every == 0:
                    run.progress(so_far["offset"], size, "bytes")
                    run.checkpoint(so_far)
        run.reads(file, bytes=size)
        return int(so_far["words"])

    @step
    def write(self, run: Run) -> dict[str, int]:
        total = {"words": sum(run.result("count"))}
        self._part.write_text(json.dumps(total))
        self._part.replace(self.params.into)
        run.writes(self.params.into)
        return total

    def undo(self, run: Run) -> None:  # noqa: ARG002
        self._part.unlink(missing_ok=True)

    @property
    def _part(self) -> Path:
        return Path(f"{self.params.into}.part")
