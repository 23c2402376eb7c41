"""What a task may not leave to the next one: put back where that is sure, else the process is not used again."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # without the enumerations of `signal`, which take most of the time
import contextlib
import faulthandler
import os
import random
import signal
import sys
from collections.abc import Callable
from typing import Any

from jobdeck.executors.child.leftovers import Leftovers
from jobdeck.executors.child.loggers import Loggers
from jobdeck.executors.child.patches import Patches
from jobdeck.executors.child.settings import TaskSettings


class Traces:
    """Remembers how the process was before its first task. What is found as it was can take the next one."""

    def __init__(self) -> None:
        self._cwd = _cwd()
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._surroundings = os.environ
        self._environ = dict(os.environ)
        self._raw = dict(_raw(os.environ))
        self._path_list = sys.path
        self._path = list(sys.path)
        self._signals = {number: _signal.getsignal(number) for number in _CATCHABLE}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._patches = Patches()
        self._settings = TaskSettings()
        self._loggers = Loggers()
        self.leftovers = Leftovers()

    def removed(self, package: str) -> str | None:
        """Put back what can be; what is left that only the end of the process removes, or None. `package`: that of the
        task's type."""
        try:
            self._restore()
            looks: list[Callable[[], str | None]] = [
                self._settings.put_back, self._loggers.put_back, lambda: self._patches.found(package),
                self.leftovers.found,
            ]  # fmt: skip
            return next((found for look in looks if (found := look()) is not None), None)
        except Exception as error:  # noqa: BLE001 – whatever cannot be put back, a new process will not have
            return f"{type(error).__name__}: {error}"

    def _restore(self) -> None:
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)  # before handlers are taken away, without which a signal would kill
        for number, handler in self._signals.items():
            if handler is not None and _signal.getsignal(number) is not handler:
                _signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.umask(self._umask)
        if self._cwd is not None and _cwd() != self._cwd:
            os.chdir(self._cwd)
        os.environ = self._surroundings  # noqa: B003 – the object itself, if a task put another in its place
        if _raw(os.environ) != self._raw:
            _replace_environ(self._environ)
        sys.path = self._path_list
        sys.path[:] = self._path
        faulthandler.cancel_dump_traceback_later()
        _reseed()


_CATCHABLE = [
    int(number) for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP) and number < 32
]


def _reseed() -> None:
    """Numbers drawn by the next task follow from nothing that this one did."""
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def _cwd() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()  # noqa: PTH109 – for each task
    return None


def _raw(environ: Any) -> dict[bytes, bytes]:
    """As it is kept; to decode it all would take longer than all the rest."""
    raw: dict[bytes, bytes] = environ._data  # noqa: SLF001
    return raw


def _replace_environ(wanted: dict[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)


def leave_if_forked(pid: int) -> None:
    """End this process if task code forked it and then came back here: only the original may speak to the worker."""
    if os.getpid() != pid:
        os._exit(0)
