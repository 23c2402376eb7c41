"""The `run` that task code gets, wherever it runs: calls become messages, a wish to stop becomes an exception."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from jobdeck.core.tasks import Checkpointed, Printed, Progressed, TaskMessage, TaskRequest, Touched, Warned
from jobdeck.core.values import Json, bounded, clip

MAX_CURSOR = 64 * 1024
"""Bytes of JSON that one checkpoint may have."""
MAX_LINE = 64 * 1024
"""Characters of one line of a log; longer ones are cut."""
MAX_NAME = 1024
PROGRESS_EVERY = 0.1
"""Seconds between two progress messages of a task, at least."""
LEVELS = {name: name for name in ("debug", "info", "warning", "error", "stdout", "stderr")}
LEVELS |= {"warn": "warning", "critical": "error", "fatal": "error"}


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
    name = LEVELS.get(level.lower(), "info")
    return [Printed(at, name, clip(line, MAX_LINE)) for line in text.split("\n")]


class TaskContext:
    """The concrete `core.tasks.Run`. `send` takes messages from any thread."""

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
        self._send = send
        self._stop = stop
        self._progress = _ProgressGate(send)
        self._results: Callable[[str], Any] = lambda step: request.results[step]

    def decode_results_with(self, results: Callable[[str], Any]) -> None:
        """Set by the harness once the job type is loaded, because only then the declared types are known."""
        self._results = results

    def result(self, step: str) -> Any:
        return self._results(step)

    def checkpoint(self, cursor: Json) -> None:
        plain = bounded(to_jsonable_python(cursor), MAX_CURSOR, "cursor")
        self._send(Checkpointed(plain))
        self.cursor = plain
        self.stop_here()

    def progress(
        self, done: int, total: int | None = None, unit: str = "", *, rows: int | None = None, bytes: int | None = None
    ) -> None:
        self._progress.offer(Progressed(int(done), _whole(total), clip(unit, 32), _whole(rows), _whole(bytes)))

    def log(self, text: str, level: str = "info") -> None:
        for line in printed(str(text), level):
            self._send(line)

    def warn(self, text: str, count: int = 1) -> None:
        self._send(Warned(clip(str(text)), int(count)))

    def reads(
        self,
        ref: object,
        *,
        version: object = None,
        rows: int | None = None,
        bytes: int | None = None,
        name: str | None = None,
    ) -> None:
        touched = clip(str(ref), MAX_NAME)
        self._send(Touched("input", touched, _name(version), _whole(rows), _whole(bytes), _name(name)))

    def writes(self, ref: object, *, version: object = None, rows: int | None = None, bytes: int | None = None) -> None:
        self._send(Touched("output", clip(str(ref), MAX_NAME), _name(version), _whole(rows), _whole(bytes)))

    @property
    def should_stop(self) -> bool:
        return self._stop.is_set()

    def stop_here(self) -> None:
        if self._stop.is_set():
            raise PoliteStop

    def close(self) -> None:
        """Send what was held back; nothing is sent by itself afterwards."""
        self._progress.close()


def _whole(value: int | None) -> int | None:
    return None if value is None else int(value)


def _name(value: object) -> str | None:
    return None if value is None else clip(str(value), MAX_NAME)


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
