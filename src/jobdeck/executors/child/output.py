"""Descriptors 1 and 2 and Python's logging in a child: whole lines, in order, and the same again for the next task."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from jobdeck.core.tasks import TaskMessage
from jobdeck.executors.context import printed
from jobdeck.executors.given import level_of_number
from jobdeck.executors.pipes import settle

_HIGH = 200
FLUSH_SECONDS = 0.5


class Output:
    """Holds the pipes to the worker under private descriptors, whatever a task does to 1 and 2."""

    def __init__(self) -> None:
        self._kept = {fd: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH) for fd in (1, 2)}
        self.kept_stderr = self._kept[2]
        self._renew()
        self._busy = threading.Event()
        """Set while a task runs."""
        threading.Thread(target=self._flush_now_and_then, name="jobdeck-flush", daemon=True).start()

    def attach(self, send: Callable[[TaskMessage], None]) -> None:
        """Send what goes through `logging` to the task's log, and what is printed at least each second."""
        root = logging.getLogger()
        root.handlers[:] = [_Forward(send)]
        root.setLevel(logging.INFO)
        logging.disable(logging.NOTSET)
        self._busy.set()

    def flush(self) -> None:
        """Pass on what the task left in buffers."""
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                stream.flush()  # type: ignore[union-attr]

    def _flush_now_and_then(self) -> None:
        """Of a line that has no end, such as a question, people are to see the beginning."""
        while self._busy.wait():
            time.sleep(FLUSH_SECONDS)
            if self._busy.is_set():
                self.flush()

    def restore(self) -> None:
        """Flush what the task left in buffers, then undo what it did to its output."""
        self._busy.clear()
        self.flush()
        for fd, kept in self._kept.items():
            os.dup2(kept, fd)
        if sys.stdout is not self._streams[0] or sys.stderr is not self._streams[1] or _closed(self._streams):
            self._renew()

    def _renew(self) -> None:
        self._streams = (_stream(1, other=2), _stream(2, other=1))
        sys.stdout, sys.stderr = self._streams
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc,assignment]


def _closed(streams: tuple[TextIO, TextIO]) -> bool:
    return any(stream.closed for stream in streams)


def _stream(fd: int, other: int) -> TextIO:
    raw = _InOrder(fd, "wb", closefd=False)
    raw.other = other
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


class _InOrder(io.FileIO):
    """Writes when the worker has taken what was written to the other one of stdout and stderr."""

    other: int

    def write(self, data: Any) -> int:
        settle(self.other)
        return super().write(data)


class _Forward(logging.Handler):
    """Log records as messages, each line of a record one, with the record's level."""

    def __init__(self, send: Callable[[TaskMessage], None]) -> None:
        super().__init__()
        self._forward = send
        self._plain = logging.Formatter("%(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            for line in printed(self._plain.format(record), level_of_number(record.levelno)):
                self._forward(line)
