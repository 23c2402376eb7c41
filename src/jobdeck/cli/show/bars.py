"""The progress of jobs as bars: one for each job, and of a single one also one for each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn
from rich.progress_bar import ProgressBar

from jobdeck.cli.show import text
from jobdeck.cli.show.colours import of_state
from jobdeck.core.life.states import StepState
from jobdeck.wire.jobs import Job, ProgressView
from jobdeck.wire.steps import Step

_STEP_MARKS = {
    StepState.PENDING: "·",
    StepState.RUNNING: "▶",
    StepState.SUCCEEDED: "✔",
    StepState.FAILED: "✘",
    StepState.SKIPPED: "–",
    StepState.CANCELED: "■",
}


class _StateBar(BarColumn):
    """A bar in the colour of the state that it stands for, so that one that runs is told from one that failed."""

    def render(self, task: Task) -> ProgressBar:
        bar = super().render(task)
        bar.complete_style = bar.finished_style = of_state(task.fields["state"]) or "cyan"
        return bar


class Bars:
    """Draws jobs while it is open; what was drawn last stays."""

    def __init__(self, out: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            _StateBar(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[more]}"),
            console=Console(file=out),
            expand=True,
            refresh_per_second=5,
        )
        self._rows: dict[tuple[int, str], TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, job: Job, steps: list[Step], *, alone: bool = True) -> None:
        """Draw the job as it is now; with its steps below it where it is the only one."""
        style = of_state(job.state) or "bold"
        many = alone and len(steps) > 1
        # What a job counts is counted in its present step, whose own bar tells it.
        why = text.line(job.wait[0].text) if job.wait else text.left(job.progress) if many else _detail(job.progress)
        title = f"[{style}]{escape(f'job {job.id} {text.state(job)}')}[/]"
        running = next((step.name for step in steps if step.state is StepState.RUNNING), "")
        more = why if alone else ", ".join(part for part in (text.line(running), why) if part)
        self._row((job.id, ""), title, job.state, job.progress.fraction, more)
        for step in steps if alone else ():
            mark = _STEP_MARKS.get(step.state, "?")
            fraction = 1.0 if step.state is StepState.SUCCEEDED else step.progress.fraction
            title = escape(f"  {mark} {text.line(step.name)}")
            self._row((step.index, step.name), title, step.state, fraction, _detail(step.progress))

    def _row(self, key: tuple[int, str], title: str, state: str, fraction: float, more: str) -> None:
        if key not in self._rows:
            self._rows[key] = self._progress.add_task(title, total=1.0, more="", state=state)
        self._progress.update(self._rows[key], description=title, completed=fraction, more=escape(more), state=state)


@contextmanager
def counting(out: TextIO, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of `total` jobs; what it gives is called with how many of them are done."""
    columns = (BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn("jobs"))
    with Progress(*columns, console=Console(file=out), expand=True, refresh_per_second=5) as progress:
        bar = progress.add_task("", total=total)
        yield lambda done: progress.update(bar, completed=done)


def _detail(progress: ProgressView) -> str:
    parts = (text.amount(progress), text.rate(progress), text.left(progress))
    return ", ".join(part for part in parts if part)
