"""A job type that does on request what task code may do; the conformance kit runs it on every executor."""

# ruff: noqa: ARG002, T201 – methods take `run` because steps do, and print because tasks do

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jobdeck.core.errors import TaskFailure
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.refs import ObjectRef
from jobdeck.core.tasks import Run
from jobdeck.core.values import MAX_RESULT

HUGE = 10**40


class ProbePiece(BaseModel):
    """A part, as a job type declares one."""

    start: int
    of: ObjectRef


@dataclass(frozen=True)
class Count:
    """A result that is a dataclass with a field whose JSON form is its own."""

    rows: int
    at: ObjectRef


class BadFile(TaskFailure, code="bad_file", retryable=False):
    """An error with everything that one can have."""


class Probe(JobType):
    """Does on request what task code may do."""

    class Params(BaseModel):
        """A path or text that the steps use."""

        path: str = ""

    @step
    def plan_parts(self, run: Run) -> list[ProbePiece]:
        return [
            ProbePiece(start=HUGE, of=ObjectRef("lake", ("a/b", "ü"))),
            ProbePiece(start=1, of=ObjectRef("lake", ("t",))),
        ]

    @step(each="plan_parts")
    def count(self, run: Run, part: ProbePiece) -> Count:
        return Count(part.start + 1, part.of)

    @step
    def add(self, run: Run) -> int:
        pieces, counts = run.result("plan_parts"), run.result("count")
        assert all(isinstance(piece, ProbePiece) for piece in pieces)
        assert all(isinstance(count, Count) and isinstance(count.at, ObjectRef) for count in counts)
        return sum(count.rows for count in counts)

    def echo(self, run: Run, part: Any) -> Any:
        return part

    def stream(self, run: Run) -> Iterator[int]:
        yield from range(3)

    def say(self, run: Run) -> None:
        run.log("one\ntwo", "warning")
        run.log("nul \0 and \ud800 surrogate", "nonsense")
        run.progress(1, 2, "rows", rows=HUGE)
        run.warn("careful", 3)
        run.reads(ObjectRef("lake", ("in",)), version=7, rows=5)
        run.writes("file:12")
        run.checkpoint({"row": HUGE})

    def hurry(self, run: Run) -> None:
        for done in range(20_001):
            run.progress(done, 20_000)

    def fail(self, run: Run) -> None:
        raise BadFile("There is no 'x.csv'.", hint="Name a file that exists.")

    def crash(self, run: Run) -> None:
        raise KeyError("colour")

    def leave(self, run: Run) -> None:
        sys.exit(3)

    def interrupt(self, run: Run) -> None:
        raise KeyboardInterrupt

    def unstorable(self, run: Run) -> object:
        return object()

    def not_a_number(self, run: Run) -> float:
        return float("nan")

    def oversized(self, run: Run) -> str:
        return "x" * (MAX_RESULT + 1)

    def work(self, run: Run) -> None:
        """Until stopped, in good order; `path` says that it began."""
        self._mark()
        for done in range(10**9):
            run.checkpoint(done)
            time.sleep(0.005)

    def ignore(self, run: Run) -> None:
        """Until `path` is removed, deaf to every wish."""
        self._mark()
        while Path(self.params.path).exists():
            time.sleep(0.005)

    def undo(self, run: Run) -> None:
        self._mark()

    def print_lines(self, run: Run) -> None:
        for number in range(1000):
            print(f"out {number}")
            if number % 10 == 0:
                run.log(f"log {number}")
                logging.getLogger("library").warning("lib %d", number)
                print(f"err {number}", file=sys.stderr)
        os.write(1, b"no newline \xff")

    def vanish(self, run: Run) -> None:
        print("last words")
        os._exit(5)

    def _mark(self) -> None:
        if self.params.path:
            Path(self.params.path).write_text(str(os.getpid()))
