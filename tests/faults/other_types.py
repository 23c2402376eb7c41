"""Job types that do not come with Jobdeck: they say outside of it what they did. Found through their entry points."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.jobtype import StepSpec, declared_steps, repeated, step
from jobdeck.core.tasks import Run
from jobdeck.jobs.registry import GROUP

TYPES = ("Units", "Late")
ROOT = Path(__file__).parents[2]
Unit = tuple[int, int, int]
"""Job, step and task."""


def published(folder: Path) -> str:
    """Make `folder` a place where Python finds a package with these types; the path to give to processes."""
    package = folder / "others-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    points = "".join(f"{name.lower()} = {__name__}:{name}\n" for name in TYPES)
    (package / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
    return f"{folder}{os.pathsep}{ROOT}"


class Units(JobType):
    """Each task is a unit of work that leaves a line in a file as it begins; it does not stop when asked to."""

    class Params(BaseModel):
        """The file, and how much there is to do."""

        file: str
        steps: int = 3
        tasks: int = 4
        seconds: float = 0.3

    params: Params

    def plan(self) -> list[StepSpec]:
        (spec,) = declared_steps(type(self))
        return repeated(spec, (f"s{index}" for index in range(self.params.steps)))

    @step(each=lambda params: range(params.tasks))
    def work(self, run: Run, part: int) -> None:
        """Say so, then take some time."""
        with Path(self.params.file).open("a") as file:  # one write, which others' do not mix with
            file.write(f"{run.job} {run.step[1:]} {part}\n")
        time.sleep(self.params.seconds)


def begun_units(file: Path) -> Counter[Unit]:
    """How often each unit was begun."""
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter(_unit(*line.split()) for line in lines)


def _unit(job: str, step_index: str, task: str) -> Unit:
    return int(job), int(step_index), int(task)


def units_of(jobs: Iterable[int], steps: int = 3, tasks: int = 4) -> Counter[Unit]:
    """Each unit of these jobs, once."""
    return Counter((job, s, t) for job in jobs for s in range(steps) for t in range(tasks))


class Late(JobType):
    """A light task that writes when a file named after its process is there, without asking whether it still may."""

    isolation = "thread"

    class Params(BaseModel):
        """Where it looks for its file."""

        folder: str

    params: Params

    @step
    def work(self, run: Run) -> int:
        """Wait, then say everything there is to say; the result is its process."""
        while not (Path(self.params.folder) / str(os.getpid())).exists():
            time.sleep(0.02)
        run.progress(7, 10, "lines")
        run.warn(f"written by {os.getpid()}")
        return os.getpid()
