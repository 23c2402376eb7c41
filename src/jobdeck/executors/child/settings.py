"""The settings of a process that a task may change: how each is read, and how it is put back where it can be."""

from __future__ import annotations

import contextlib
import csv
import decimal
import gc
import locale
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Put = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Setting:
    """One of them. Without `put` only a new process has it as it was."""

    name: str
    get: Callable[[], Any]
    put: Put | None = None


class TaskSettings:
    """Remembers how a process was before its first task, to put it back after each."""

    def __init__(self) -> None:
        self._before = [(setting, setting.get()) for setting in SETTINGS]

    def put_back(self) -> str | None:
        """Put back what can be; the name of what cannot, or None."""
        for setting, before in self._before:
            if setting.get() == before:
                continue
            if setting.put is None:
                return setting.name
            setting.put(before)
            if setting.get() != before:
                return setting.name
        return None


def recover() -> None:
    """What our own code needs before it can do anything; to be called first, after each task."""
    if sys.getrecursionlimit() != _DEPTH:
        sys.setrecursionlimit(_DEPTH)
    sys.settrace(None)
    sys.setprofile(None)


_DEPTH = sys.getrecursionlimit()
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
_STATUS = (b"Uid:", b"Gid:", b"Groups:", b"Cap", b"NoNewPrivs:", b"Seccomp", b"Cpus_allowed:", b"Mems_allowed:")


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(number) for number in _LIMITS]


def _set_limits(limits: list[tuple[int, int]]) -> None:
    for number, limit in zip(_LIMITS, limits, strict=True):
        if resource.getrlimit(number) != limit:
            with contextlib.suppress(ValueError, OSError):  # a hard limit that was lowered stays; it is seen then
                resource.setrlimit(number, limit)


def _status() -> list[bytes]:
    """What the kernel knows of the process and that cannot be taken back: users, rights, processors."""
    return [line for line in _read("/proc/self/status").splitlines() if line.startswith(_STATUS)]


def _read(path: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(path).read_bytes()
    return b""


def _priority() -> tuple[int, int, bytes]:
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), _read("/proc/self/oom_score_adj")


def _collector() -> tuple[bool, tuple[int, int, int], int, list[Any]]:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug(), list(gc.callbacks)


def _set_collector(before: tuple[bool, tuple[int, int, int], int, list[Any]]) -> None:
    enabled, threshold, debug, callbacks = before
    (gc.enable if enabled else gc.disable)()
    gc.set_threshold(*threshold)
    gc.set_debug(debug)
    gc.callbacks[:] = callbacks


def _set_filters(before: list[Any]) -> None:
    warnings.filters[:] = before  # type: ignore[index]  # a list, whatever the stubs say
    warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001 – else what was looked up stays


def _default_context() -> list[Any]:
    return [getattr(decimal.DefaultContext, name) for name in _CONTEXT] + [dict(decimal.DefaultContext.traps)]


def _set_default_context(before: list[Any]) -> None:
    for name, value in zip(_CONTEXT, before, strict=False):
        setattr(decimal.DefaultContext, name, value)
    decimal.DefaultContext.traps.update(before[-1])


_CONTEXT = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def _start_method() -> str | None:
    loaded = sys.modules.get("multiprocessing")
    return loaded.get_start_method(allow_none=True) if loaded is not None else None


def _set_start_method(before: str | None) -> None:
    sys.modules["multiprocessing"].set_start_method(before, force=True)


def _loop_policy() -> object:
    return getattr(sys.modules.get("asyncio.events"), "_event_loop_policy", None)


def _set_loop_policy(before: object) -> None:
    sys.modules["asyncio.events"]._event_loop_policy = before  # type: ignore[attr-defined]  # noqa: SLF001


def _opener() -> object:
    return getattr(sys.modules.get("urllib.request"), "_opener", None)


def _set_opener(before: object) -> None:
    sys.modules["urllib.request"]._opener = before  # type: ignore[attr-defined]  # noqa: SLF001


def _wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        with contextlib.suppress(ValueError, OSError):
            signal.set_wakeup_fd(fd)
    return fd


def _set_zone(_: object) -> None:
    time.tzset()  # the environment has been put back before


def _hooks() -> tuple[Any, ...]:
    return (
        sys.excepthook, sys.unraisablehook, sys.displayhook, sys.breakpointhook, threading.excepthook,
        threading.gettrace(), threading.getprofile(), tuple(sys.get_asyncgen_hooks()),
        sys.get_coroutine_origin_tracking_depth(),
    )  # fmt: skip


SETTINGS = (
    Setting("the limits of the process", _limits, _set_limits),
    Setting("its priority", _priority),
    Setting("its user or rights", _status),
    Setting("the collection of garbage", _collector, _set_collector),
    Setting("warnings", lambda: list(warnings.filters), _set_filters),
    Setting("the time limit of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Setting("the time zone", lambda: (time.tzname, time.timezone, time.altzone), _set_zone),
    Setting("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda v: locale.setlocale(locale.LC_ALL, v)),
    Setting("decimal arithmetic", _default_context, _set_default_context),
    Setting("how processes are started", _start_method, _set_start_method),
    Setting("the policy of event loops", _loop_policy, _set_loop_policy),
    Setting("how URLs are opened", _opener, _set_opener),
    Setting("the descriptor that signals write to", _wakeup_fd, signal.set_wakeup_fd),
    Setting("switching between threads", sys.getswitchinterval, sys.setswitchinterval),
    Setting("the digits of integers", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    Setting("fields of CSV", csv.field_size_limit, csv.field_size_limit),
    Setting("dialects of CSV", csv.list_dialects),
    Setting("hooks", _hooks),
    Setting(
        "the writing of bytecode", lambda: sys.dont_write_bytecode, lambda v: setattr(sys, "dont_write_bytecode", v)
    ),
    Setting("the folder of temporary files", lambda: tempfile.tempdir, lambda v: setattr(tempfile, "tempdir", v)),
    Setting("arguments", lambda: list(sys.argv), lambda v: setattr(sys, "argv", v)),
    Setting("how modules are found", lambda: list(sys.path_hooks)),
)
