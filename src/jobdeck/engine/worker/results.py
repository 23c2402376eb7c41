"""Results of a job's steps while it runs: small ones travel with its tasks, the others lie in files that tasks read.

So a task costs the same whatever was returned before it, and the worker keeps no large results in memory."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from jobdeck.core.errors import ErrorInfo, JobdeckError
from jobdeck.core.tasks import ResultFile
from jobdeck.core.values import MAX_RESULT
from jobdeck.executors.harness import describe

MAX_RESULTS = 512 * 1024 * 1024
"""Bytes of JSON that the results of all steps of a job may have together."""
INLINE = 16 * 1024
"""Characters of JSON that travel with each task, of all steps together."""
PREFIX = "results-"


class ResultsTooLarge(JobdeckError, code="results_too_large"):
    """What the steps of a job returned is more than can be kept together."""


class StepResults:
    """What the tasks of one step return, as they return it; beyond `room` characters in a file."""

    def __init__(self, room: int, scratch: Callable[[], Path]) -> None:
        self.size = 0
        self._room = room
        self._scratch = scratch
        self._texts: dict[int, str] = {}
        self._file: IO[bytes] | None = None
        self._places: dict[int, tuple[int, int]] = {}

    def add(self, task: int, text: str) -> None:
        self.size += len(text)
        self._texts[task] = text
        if self.size > self._room:
            if self._file is None:
                self._file = self._scratch().open("w+b")
            for index, kept in self._texts.items():
                data = kept.encode()
                self._places[index] = (self._file.seek(0, os.SEEK_END), len(data))
                self._file.write(data)
            self._texts.clear()

    def values(self, tasks: int) -> list[Any] | None:
        """What each of the tasks returned; None when it lies in the file."""
        if self._file is not None:
            return None
        return [json.loads(self._texts[i]) if i in self._texts else None for i in range(tasks)]

    def pieces(self, tasks: int) -> Iterator[bytes]:
        """The JSON of what each of the tasks returned, from the file."""
        assert self._file is not None
        for index in range(tasks):
            place, size = self._places.get(index, (0, 0))
            self._file.seek(place)
            yield self._file.read(size) or b"null"

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Results:
    """What the steps of one job returned. `folder` is where files may lie; empty: the system's own."""

    def __init__(self, folder: str) -> None:
        self._parent = folder or None
        self._folder: Path | None = None
        self._room = INLINE
        self._left = MAX_RESULTS
        self._present: StepResults | None = None
        self.inline: dict[str, Any] = {}
        """By step, what travels with each task."""
        self.files: dict[str, ResultFile] = {}
        """By step, what lies in files."""

    def keep(self, task: int, text: str | None, where: str) -> ErrorInfo | None:
        """A task returned it; why it cannot be kept for the steps after its own, which is at `where`."""
        try:
            self.add(task, text)
        except (ResultsTooLarge, OSError) as error:
            return describe(error, where)
        return None

    def add(self, task: int, text: str | None) -> None:
        """A task of the present step returned it. Raises ResultsTooLarge, or OSError when a disk is full."""
        if text is None:
            return
        self._left -= len(text)
        if self._left < 0:
            raise ResultsTooLarge(
                f"The results of this job's steps have more than {MAX_RESULTS // 1024**2} MiB together.",
                hint="Return counts and references from steps; keep data in files or tables. Then restart the job.",
            )
        if self._present is None:
            self._present = StepResults(self._room, lambda: self._path("scratch"))
        self._present.add(task, text)

    def close_step(self, step: str, tasks: int, *, split: bool) -> None:
        """All tasks of the present step are done. Raises OSError when a disk is full."""
        done, self._present = self._present or StepResults(0, Path), None
        self.files.pop(step, None)  # what it returned before, if it ran once more
        values = done.values(tasks)
        if values is not None:
            self._room -= done.size
            self.inline[step] = values if split else values[0]
            return
        path = self._path(str(len(self.files)))
        with path.open("wb") as file:
            file.writelines(_as_list(done.pieces(tasks)) if split else done.pieces(1))
        path.chmod(0o640)
        done.close()
        self.files[step] = ResultFile(str(path))

    def keep_before(self, step: str, text: str | None) -> None:
        """What a step returned before that is to run once more: its own task reads it. Raises OSError."""
        if text is None:
            return
        path = self._path(f"before-{len(self.files)}")
        path.write_text(text, encoding="utf-8")
        path.chmod(0o640)
        self.files[step] = ResultFile(str(path))

    def of(self, step: str) -> Any:
        """What the step returned."""
        if step in self.files:
            return json.loads(Path(self.files[step].path).read_bytes())
        return self.inline[step]

    def too_large(self, step: str) -> bool:
        """Whether it is more than one result may be."""
        return step in self.files and Path(self.files[step].path).stat().st_size > MAX_RESULT

    def close(self) -> None:
        """The job has left this worker."""
        if self._present is not None:
            self._present.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=self._parent))
            self._folder.chmod(0o750)
        return self._folder / name


def _as_list(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield b"["
    for number, piece in enumerate(pieces):
        yield b"," if number else b""
        yield piece
    yield b"]"


def forget_abandoned(folder: Path) -> None:
    """Remove the files of worker processes of this machine that are gone."""
    for left in folder.glob(f"{PREFIX}*-*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)
