"""The `run` that task code gets, wherever it runs: calls become messages, a wish to stop becomes an exception."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from pydantic_core import to_jsonable_python

from jobdeck.core.errors import JobdeckError, TaskFailure
from jobdeck.core.tasks import Checkpointed, Printed, Progressed, TaskMessage, TaskRequest, Touched, Warned
from jobdeck.core.values import Json, bounded, clip, encode
from jobdeck.executors import given

MAX_CURSOR = 64 * 1024
"""Bytes of JSON that one checkpoint may have."""
MAX_LINE = 64 * 1024
"""Characters of one line of a log; longer ones are cut."""
MAX_NAME = 1024
PROGRESS_EVERY = 0.1
"""Seconds between two progress messages of a task, at least."""


class RunEnded(JobdeckError, code="run_ended", kind="refused"):
    """A `run` was used after its task had ended, by a callback or a thread that outlived it."""


class CursorNotStorable(TaskFailure, code="cursor_not_storable", retryable=False):
    """What a task gave to `checkpoint` has no JSON form, or is too large to be kept."""


class PoliteStop(BaseException):
    """Ends a task that was asked to stop. No Exception, so that `except Exception` in task code lets it pass."""


class StopSignal(Protocol):
    """Says whether a stop was asked for; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


def now_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def printed(text: str, level: str) -> list[Printed]:
    """`text` as lines of a log, each bounded."""
    at = now_us()
    return [Printed(at, level, clip(line, MAX_LINE)) for line in text.split("\n")]


class TaskContext:
    """The concrete `core.tasks.Run`. `send` takes messages from any thread. Once closed, it says nothing any more."""

    def __init__(self, request: TaskRequest, send: Callable[[TaskMessage], None], stop: StopSignal) -> None:
        self.job = request.job
        self.attempt = request.attempt
        self.epoch = request.epoch
        self.step = request.step
        self.task = request.index
        self.key = request.key
        self.failures = request.failures
        self.environment = request.environment
        self.cursor: Any = request.cursor
        self.stopping = False
        """Whether `PoliteStop` was raised: what the task does from then on is no success, whatever catches it."""
        self._params = request.params
        self._send = send
        self._stop = stop
        self._ended = False
        self._odd = False
        self._progress = _ProgressGate(send)
        self._results: Callable[[str], Any] = lambda step: request.results[step]

    @property
    def origin(self) -> str:
        """What tells this job's writes from those of a job with its number in an earlier control database."""
        return hashlib.sha256(encode(self._params).encode()).hexdigest()[:16]

    def decode_results_with(self, results: Callable[[str], Any]) -> None:
        """Set by the harness once the job type is loaded, because only then the declared types are known."""
        self._results = results

    def result(self, step: str) -> Any:
        self._must_live("result")
        return self._results(step)

    def checkpoint(self, cursor: Json) -> None:
        self._must_live("checkpoint")
        try:
            plain = bounded(to_jsonable_python(cursor), MAX_CURSOR, "The cursor")
        except JobdeckError as error:
            raise CursorNotStorable(error.message, hint="Keep a position in it, and data in files.") from error
        except (ValueError, TypeError, RecursionError) as error:
            message = f"What was given to checkpoint cannot be stored as JSON: {clip(given.text(error))}"
            raise CursorNotStorable(message, hint="Give numbers, text, lists and dicts.") from error
        self._send(Checkpointed(plain))
        self.cursor = plain
        self.stop_here()

    def progress(
        self, done: int, total: int | None = None, unit: str = "", *, rows: int | None = None, bytes: int | None = None
    ) -> None:
        self._must_live("progress")
        name = given.name(unit, 32) or ""
        units = self._count(done, "progress")
        numbers = [self._count(value, "progress") for value in (total, rows, bytes)]
        if units is not None:
            self._progress.offer(Progressed(units, numbers[0], name, numbers[1], numbers[2]))

    def log(self, text: str, level: str = "info") -> None:
        self._must_live("log")
        for line in printed(given.text(text), given.level(level)):
            self._send(line)

    def warn(self, text: str, count: int = 1) -> None:
        self._must_live("warn")
        self._send(Warned(clip(given.text(text)), given.warnings(count)))

    def reads(
        self,
        ref: object,
        *,
        version: object = None,
        rows: int | None = None,
        bytes: int | None = None,
        name: str | None = None,
    ) -> None:
        self._must_live("reads")
        self._touch("input", ref, version, name, rows, bytes)

    def writes(self, ref: object, *, version: object = None, rows: int | None = None, bytes: int | None = None) -> None:
        self._must_live("writes")
        self._touch("output", ref, version, None, rows, bytes)

    @property
    def should_stop(self) -> bool:
        return self._ended or self._stop.is_set()

    def stop_here(self) -> None:
        self._must_live("stop_here")
        if self._stop.is_set():
            self.stopping = True
            raise PoliteStop

    def close(self) -> None:
        """Send what was held back. From here on nothing is sent: who still calls gets RunEnded."""
        self._ended = True
        self._progress.close()

    def _must_live(self, call: str) -> None:
        if self._ended:
            raise RunEnded(
                f"run.{call} was called after task {self.task} of step '{self.step}' of job {self.job} had ended.",
                hint="End threads and drop callbacks that use `run` before the step returns.",
            )

    def _touch(
        self, direction: Literal["input", "output"], ref: object, version: object, name: object, *counts: object
    ) -> None:
        rows, size = (self._count(value, f"{direction}s") for value in counts)
        touched = clip(given.text(ref), MAX_NAME)
        told, called = given.name(version, MAX_NAME), given.name(name, MAX_NAME)
        self._send(Touched(direction, touched, told, rows, size, called))

    def _count(self, value: object, what: str) -> int | None:
        """A number that can be recorded. One that is none is left out, and the task's log says so once."""
        number = None if value is None else given.count(value)
        if number is None and value is not None and not self._odd:
            self._odd = True
            self.log(f"A number of {what} was left out: '{clip(given.text(value), 100)}' is none.", "warning")
        return number


class _ProgressGate:
    """Lets about ten progress messages a second through, and always the last one, also when nothing follows it."""

    def __init__(self, send: Callable[[TaskMessage], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._held: Progressed | None = None
        self._sent_at = float("-inf")
        self._more = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, progress: Progressed) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._held = progress
        if time.monotonic() - self._sent_at >= PROGRESS_EVERY:
            self.flush()
        else:
            self._later()

    def flush(self) -> None:
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                self._sent_at = time.monotonic()
                self._send(held)

    def close(self) -> None:
        self._closed.set()
        self._more.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _later(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._trail, name="jobdeck-progress", daemon=True)
            self._thread.start()
        self._more.set()

    def _trail(self) -> None:
        while not self._closed.is_set():
            self._more.wait()
            self._more.clear()
            self._closed.wait(PROGRESS_EVERY)
            self.flush()
