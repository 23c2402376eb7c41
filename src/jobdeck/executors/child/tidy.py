"""What a task may not leave to the next one: processes, threads, handlers, settings of the process."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path


class Traces:
    """Remembers how the process was before a task, to put it back after."""

    def __init__(self) -> None:
        self._cwd = _cwd()
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._environ = dict(os.environ)
        self._path = list(sys.path)
        self._signals = {number: signal.getsignal(number) for number in _CATCHABLE}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._threads = set(threading.enumerate())

    def removed(self) -> bool:
        """Put back what can be; False when something is left that only the end of the process removes."""
        try:
            self._restore()
        except Exception:  # noqa: BLE001 – whatever cannot be put back, a new process will not have
            return False
        return not _has_children() and set(threading.enumerate()) <= self._threads

    def _restore(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._signals.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.umask(self._umask)
        if self._cwd is not None and _cwd() != self._cwd:
            os.chdir(self._cwd)
        if os.environ != self._environ:
            _replace_environ(self._environ)
        sys.path[:] = self._path
        sys.settrace(None)
        sys.setprofile(None)


_CATCHABLE = [
    number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP) and number < 32
]


def _cwd() -> str | None:
    with contextlib.suppress(OSError):
        return str(Path.cwd())
    return None


def _replace_environ(wanted: dict[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)


def _has_children() -> bool:
    """Whether a process that the task started lives on; ended ones are reaped. As subreaper we see orphans, too."""
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
    except ChildProcessError:
        return False


def leave_if_forked(pid: int) -> None:
    """End this process if task code forked it and then came back here: only the original may speak to the worker."""
    if os.getpid() != pid:
        os._exit(0)
