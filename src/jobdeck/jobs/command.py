"""Run a program of the worker's machine; its output is the job's log."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput, TaskFailure
from jobdeck.core.jobtype import JobType, StepSpec, step
from jobdeck.core.output.lines import LINE_PATIENCE, MAX_LINE, LineCutter
from jobdeck.core.secrecy import Redaction
from jobdeck.core.tasks import Run
from jobdeck.core.values import clip

TAIL = 20
"""Lines of output that the error of a failed program repeats."""
PIPE = 1024 * 1024
"""Bytes that a pipe may hold at most: one read takes all there is."""
LOOK_EVERY = 0.1
"""Seconds between two looks at whether to stop."""

Text = Annotated[str, Field(max_length=128 * 1024, pattern="^[^\x00]*$")]
Hidden = Annotated[Text, Field(json_schema_extra={"writeOnly": True})]
"""A text that is given to the program and shown to nobody."""


class CommandFailed(TaskFailure, code="command_failed"):
    """The program ended with a status that does not mean success."""


class CommandNotStarted(TaskFailure, code="command_not_started", retryable=False):
    """The program or its working directory is missing, or may not be used."""


class Command(JobType):
    """Run a program and keep what it prints."""

    name = "command"
    category = "compute"
    enabled_by = "allow_commands"

    class Params(BaseModel):
        """The program, and how to run it."""

        model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

        argv: Annotated[list[Text], Field(min_length=1, max_length=4096)]
        """The program and its arguments; no shell reads them."""
        cwd: Text | None = None
        """The folder to run in; default: the worker's."""
        env: dict[Annotated[str, Field(pattern="^[^=\x00]+$")], Hidden] = Field(default_factory=dict, repr=False)
        """Variables added to the worker's environment. Their names are shown, their values are not."""
        timeout: Annotated[float, Field(gt=0, le=30 * 86_400, allow_inf_nan=False)] | None = None
        """Seconds after which it is killed and the job fails."""
        stop_signal: Literal["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] = "SIGTERM"
        """What asks it to stop; it is killed when it has not ended after the grace period."""
        success_codes: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=1)] = [0]

        @field_validator("argv")
        @classmethod
        def _names_a_program(cls, argv: list[str]) -> list[str]:
            if not argv[0].strip():
                raise ValueError("the first item names the program and is empty")
            return argv

    params: Params

    def subject(self) -> str | None:
        return clip(self.params.argv[0], 200)

    def description(self) -> str:
        return clip(shlex.join(self.params.argv), 200)

    def check(self, environment: Environment) -> None:  # noqa: ARG002 – the base class names it
        """Refuse what cannot work on this machine; a worker elsewhere may still see another one."""
        cwd, program = self.params.cwd, self.params.argv[0]
        if cwd is not None and not Path(cwd).is_dir():
            hint = "Name one that exists."
            raise InvalidInput(f"There is no folder '{cwd}' to run in.", field="params.cwd", hint=hint)
        if not _found(program, cwd, self.params.env):
            hint = "Give its full path, or install it where the workers run."
            raise InvalidInput(f"There is no program '{program}'.", field="params.argv", hint=hint)

    def plan(self) -> list[StepSpec]:
        return [replace(spec, timeout=self.params.timeout) for spec in super().plan()]

    @step
    def run(self, run: Run) -> None:
        """Start it, log what it prints, judge how it ended."""
        redaction = Redaction(self.params.env)
        program = _Program(self._start(), run, signal.Signals[self.params.stop_signal], redaction)
        status = program.wait()
        if program.asked_to_stop:
            run.stop_here()
        if status not in self.params.success_codes:
            raise CommandFailed(self._complaint(status, program.tail), hint="The job's log has all of its output.")

    def _start(self) -> subprocess.Popen[bytes]:
        params = self.params
        try:
            return subprocess.Popen(
                params.argv,
                cwd=params.cwd,
                env={**os.environ, **params.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                process_group=0,
            )
        except OSError as error:
            what = "folder" if error.filename == params.cwd else "program"
            name = params.cwd if what == "folder" else params.argv[0]
            message = f"The {what} '{name}' cannot be used: {error.strerror}."
            raise CommandNotStarted(
                clip(message), hint="Give a full path that exists where the workers run."
            ) from error

    def _complaint(self, status: int, tail: deque[str]) -> str:
        end = f"ended with status {status}"
        if status < 0:
            with contextlib.suppress(ValueError):
                end = f"was killed by signal {-status} ({signal.Signals(-status).name})"
        last = "".join(f"\n{line}" for line in tail)
        return clip(f"'{clip(self.params.argv[0], 200)}' {end}." + (f" It said last:{last}" if last else ""))


class _Program:
    """A program under way: forwards its lines, passes on the wish to stop."""

    def __init__(
        self, process: subprocess.Popen[bytes], run: Run, stop_signal: signal.Signals, redaction: Redaction
    ) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.asked_to_stop = False
        self._process = process
        self._run = run
        self._stop_signal = stop_signal
        self._redaction = redaction
        self._lines = {"stdout": LineCutter(), "stderr": LineCutter()}
        self._looked = (0.0, {"stdout": -1, "stderr": -1})
        """When it was looked for lines that stay open, and how many had ended then."""
        self._selector = selectors.DefaultSelector()
        self._open(process.stdout, "stdout")
        self._open(process.stderr, "stderr")

    def wait(self) -> int:
        """Its exit status, negative for a signal, once it ended and what it printed is logged."""
        while self._process.poll() is None:
            self._forward(LOOK_EVERY)
            self._show_open_lines()
            if self._run.should_stop and not self.asked_to_stop:
                self.asked_to_stop = True
                self._signal()
        self._forward(0)  # what it left in the pipes, and not what a process it left behind may go on printing
        for level, lines in self._lines.items():
            for line in lines.finish():
                self._log(line, level)
        self._selector.close()
        return self._process.returncode

    def _signal(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, self._stop_signal)

    def _open(self, pipe: IO[bytes] | None, level: str) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe.fileno(), selectors.EVENT_READ, level)

    def _forward(self, patience: float) -> bool:
        """Log what there is to read; whether there was any."""
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
            return False
        ready = self._selector.select(patience)
        for key, _ in ready:
            self._take(key.fd, key.data)
        return bool(ready)

    def _take(self, fd: int, level: Any) -> None:
        data = os.read(fd, PIPE)
        if not data:
            self._selector.unregister(fd)
            return
        for line in self._lines[level].feed(data):
            self._log(line, level)

    def _show_open_lines(self) -> None:
        """Of a line that does not end, such as a question, people see the beginning after a moment."""
        now, (then, ended) = time.monotonic(), self._looked
        if now - then < LINE_PATIENCE:
            return
        for level, lines in self._lines.items():
            if lines.open and lines.ended == ended[level]:
                for line in lines.show():
                    self._log(line, level)
        open_now = {level: lines.ended if lines.open else -1 for level, lines in self._lines.items()}
        self._looked = (now, open_now)

    def _log(self, line: bytes, level: str) -> None:
        text = self._redaction.of(line.decode("utf-8", "replace"))
        self.tail.append(clip(text, 500))
        for start in range(0, len(text) or 1, MAX_LINE):
            self._run.log(text[start : start + MAX_LINE], level)


def _found(program: str, cwd: str | None, env: dict[str, str]) -> bool:
    if "/" in program:
        return os.access(Path(cwd or ".") / program, os.X_OK)
    return shutil.which(program, path=env.get("PATH")) is not None
