"""The three streams of the command: a closed one is replaced, and one that cannot be written is told as that."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

OUT, ERR = 1, 2


class OutputFailed(Exception):
    """The output cannot be written: the disk is full, or what it goes to is gone. A broken pipe is no failure."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Output(io.FileIO):
    """Standard output, whose failure is told apart from all other failures of the system."""

    def write(self, data: bytes, /) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed(error.strerror or str(error)) from error


class _Remarks(io.FileIO):
    """Standard error: a remark that cannot be written is no reason to end, nor for another exit code."""

    def write(self, data: bytes, /) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


def prepare() -> None:
    """Make the streams such that writing to them ends in a message, never in a traceback.

    The numbers 0 to 2 must be taken: a file or socket that got one of them would be written to as the output."""
    if sys.stdin is None:
        _fill(0, os.O_RDONLY)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (lives as long as the process)
    for number in (OUT, ERR):
        if (sys.stdout if number == OUT else sys.stderr) is None:
            _fill(number, os.O_WRONLY)
    sys.stdout = _text(_Output(OUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Remarks(ERR, "w", closefd=False), sys.stderr, by_line=True)


def _text(raw: io.FileIO, like: TextIO | None, *, by_line: bool = False) -> TextIO:
    encoding = like.encoding if like is not None else "utf-8"
    by_line = by_line or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="replace", line_buffering=by_line)


def _fill(number: int, flags: int) -> None:
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def discard_output() -> None:
    """What is still buffered has nowhere to go; without this, the interpreter would complain of it at its end."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, OUT)
    os.close(devnull)
