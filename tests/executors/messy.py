"""Task code that leaves something in its process, each method something else."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import datetime
import decimal
import gc
import json
import locale
import logging
import multiprocessing
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jobdeck.core.errors import TaskFailure
from jobdeck.core.jobtype import JobType
from jobdeck.core.tasks import Run

KEPT: list[Any] = []


def _limit(number: int, to: int) -> None:
    resource.setrlimit(number, (to, resource.getrlimit(number)[1]))


def _refuse(*_: object, **__: object) -> None:
    raise OSError("patched")


def _zone() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


MESSES: dict[str, Callable[[], object]] = {
    "recursion": lambda: sys.setrecursionlimit(80),
    "sockets": lambda: socket.setdefaulttimeout(0.01),
    "files": lambda: _limit(resource.RLIMIT_NOFILE, 300),
    "core": lambda: _limit(resource.RLIMIT_CORE, 0),
    "hard_limit": lambda: resource.setrlimit(resource.RLIMIT_NPROC, (500, 500)),
    "nice": lambda: os.nice(5),
    "affinity": lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    "gc": gc.disable,
    "gc_threshold": lambda: gc.set_threshold(1, 1, 1),
    "gc_callback": lambda: gc.callbacks.append(lambda *_: None),
    "filters": lambda: warnings.simplefilter("error"),
    "zone": _zone,
    "precision": lambda: setattr(decimal.getcontext(), "prec", 3),
    "default_precision": lambda: setattr(decimal.DefaultContext, "prec", 3),
    "start_method": lambda: multiprocessing.set_start_method("spawn", force=True),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "json": lambda: setattr(json, "loads", _refuse),
    "clock": lambda: setattr(time, "time", lambda: 0.0),
    "day": lambda: setattr(datetime, "datetime", None),
    "class": lambda: setattr(Path, "exists", _refuse),
    "sleep": lambda: setattr(time, "sleep", lambda _: None),
    "builtin": lambda: setattr(builtins, "open", _refuse),
    "new_builtin": lambda: setattr(builtins, "helper", 1),
    "module": lambda: sys.modules.__setitem__("random", json),
    "model": lambda: setattr(BaseModel, "model_validate", _refuse),
    "jobdeck": lambda: setattr(JobType, "grace", 0.0),
    "root_level": lambda: logging.getLogger().setLevel(logging.CRITICAL),
    "level": lambda: logging.getLogger("asyncio").setLevel(logging.CRITICAL),
    "own_handler": lambda: logging.getLogger("mine").addHandler(logging.StreamHandler()),
    "logger_off": lambda: setattr(logging.getLogger("asyncio"), "disabled", True),
    "log_factory": lambda: logging.setLogRecordFactory(lambda *_, **__: logging.makeLogRecord({})),
    "excepthook": lambda: setattr(sys, "excepthook", _refuse),
    "thread_hook": lambda: setattr(threading, "excepthook", _refuse),
    "trace": lambda: threading.settrace(lambda *_: None),
    "profile": lambda: sys.setprofile(lambda *_: None),
    "alarm": lambda: (signal.signal(signal.SIGALRM, signal.SIG_DFL), signal.setitimer(signal.ITIMER_REAL, 0.2)),
    "handler": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "mask": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
    "open_file": lambda: KEPT.append(open(__file__)),  # noqa: SIM115
    "open_socket": lambda: KEPT.append(socket.socket()),
    "umask": lambda: os.umask(0o077),
    "cwd": lambda: os.chdir("/"),
    "environ": lambda: os.environ.__setitem__("MESS", "1"),
    "path": lambda: sys.path.insert(0, "/mess"),
    "loops": lambda: asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy()),
    "seed": lambda: random.seed(7),
    "opener": lambda: urllib.request.install_opener(urllib.request.build_opener()),
    "temporary": lambda: setattr(tempfile, "tempdir", "/mess"),
    "group": lambda: os.setgroups([4242]),
}
ONLY_ROOT = {"group"}


def state() -> dict[str, Any]:
    """What the next task sees of all that."""
    limits = [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC)]
    root = logging.getLogger()
    return {
        "recursion": sys.getrecursionlimit(), "sockets": socket.getdefaulttimeout(), "limits": limits,
        "nice": os.nice(0), "affinity": sorted(os.sched_getaffinity(0)), "gc": [gc.isenabled(), gc.get_threshold()],
        "callbacks": len(gc.callbacks), "filters": repr(warnings.filters), "zone": time.tzname,
        "precision": [decimal.getcontext().prec, decimal.DefaultContext.prec],
        "start": multiprocessing.get_start_method(allow_none=True), "locale": locale.setlocale(locale.LC_ALL),
        "patched": [json.loads("1"), time.time() > 1, datetime.datetime is not None, Path("/").exists()],
        "builtins": [hasattr(builtins, "helper"), builtins.open is _OPEN], "random": sys.modules["random"] is random,
        "model": "_refuse" not in repr(BaseModel.model_validate), "grace": JobType.grace,
        "levels": [root.level, logging.getLogger("asyncio").level, logging.getLogger("asyncio").disabled],
        "handlers": [type(h).__name__ for h in (*root.handlers, *logging.getLogger("mine").handlers)],
        "hooks": [sys.excepthook is _refuse, threading.excepthook is _refuse, threading.gettrace(), sys.getprofile()],
        "timer": signal.getitimer(signal.ITIMER_REAL)[0] > 0, "usr1": str(signal.getsignal(signal.SIGUSR1)),
        "mask": [str(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])], "umask": _umask(), "cwd": os.getcwd(),
        "environ": os.environ.get("MESS"), "path": "/mess" in sys.path, "temporary": tempfile.tempdir,
        "opener": urllib.request._opener is None,  # type: ignore[attr-defined]
        "groups": os.getgroups(),
    }  # fmt: skip


_OPEN = open


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


class OddFailure(TaskFailure):
    """A failure whose fields are not what they should be."""


class Messy(JobType):
    """Params: which mess to make, and a folder for signs."""

    class Params(BaseModel):
        """As said."""

        what: str = ""
        folder: str = ""

    def pid(self, run: Run) -> int:
        return os.getpid()

    def state(self, run: Run) -> Any:
        return state()

    def draw(self, run: Run) -> float:
        return random.random()

    def mess(self, run: Run) -> str:
        MESSES[self.params.what]()
        return "made"

    # Runs that are kept.

    def keep(self, run: Run) -> int:
        KEPT.append(run)
        return os.getpid()

    def use_kept(self, run: Run) -> list[str]:
        """Every call of the run of a task before, and what comes of it."""
        old, told = KEPT[-1], []
        calls: dict[str, Callable[[], object]] = {
            "checkpoint": lambda: old.checkpoint("A"), "log": lambda: old.log("A"), "stop": old.stop_here,
            "progress": lambda: old.progress(7, 9, "A"), "warn": lambda: old.warn("A"),
            "reads": lambda: old.reads("A"), "writes": lambda: old.writes("A"), "result": lambda: old.result("A"),
        }  # fmt: skip
        for name, call in calls.items():
            try:
                call()
            except Exception as error:  # noqa: BLE001
                told.append(f"{name}: {type(error).__name__}")
        old._send(Warned_of_old())
        return told

    # Threads.

    def upload_behind(self, run: Run) -> str:
        def upload() -> None:
            time.sleep(0.4)
            run.log("uploaded")
            (Path(self.params.folder) / "uploaded").touch()

        pool = ThreadPoolExecutor(2)
        pool.submit(upload)
        KEPT.append(pool)
        return "returned"

    def never_ending_thread(self, run: Run) -> str:
        threading.Thread(target=time.sleep, args=(1000,), name="forever").start()
        return "returned"

    # Values.

    def odd_numbers(self, run: Run) -> None:
        for odd in (10**30, -5, float("nan"), float("inf"), "7", b"x", None, True, 2.9, object(), [1]):
            run.progress(odd, odd, odd, rows=odd, bytes=odd)  # type: ignore[arg-type]
            run.warn(odd, odd)  # type: ignore[arg-type]
            run.reads(odd, version=odd, rows=odd, bytes=odd)  # type: ignore[arg-type]
            run.writes(odd, version=odd, rows=odd, bytes=odd)  # type: ignore[arg-type]
            run.log(odd, odd)  # type: ignore[arg-type]

    def odd_texts(self, run: Run) -> None:
        for odd in ("a\0b", "\ud800", b"\xff", Unspeakable()):
            run.log(odd)  # type: ignore[arg-type]
            run.warn(odd)  # type: ignore[arg-type]
            run.progress(1, 2, odd)  # type: ignore[arg-type]
            run.reads(odd)

    def odd_cursor(self, run: Run) -> None:
        run.checkpoint(object())  # type: ignore[arg-type]

    def fail_with_error(self, run: Run) -> None:
        raise OddFailure(ValueError("the cause"))  # type: ignore[arg-type]

    def fail_with_code(self, run: Run) -> None:
        error = OddFailure("a\0b")
        codes: dict[str, Any] = {
            "none": None,
            "long": "x" * 5000,
            "number": 7,
            "spaces": "a b\n",
            "surrogate": "\ud800",
        }
        error.code = codes[self.params.what]  # type: ignore[misc]
        error.hint = ValueError("hint")  # type: ignore[assignment]
        error.retryable = "perhaps"  # type: ignore[assignment,misc]
        raise error

    async def wait_for_it(self, run: Run) -> int:
        return await asyncio.sleep(0.001, 1)

    def coroutine(self, run: Run) -> Any:
        return asyncio.sleep(0.001, 2)

    async def async_parts(self, run: Run) -> AsyncIterator[str]:
        yield "a"
        yield "b"

    async def async_fails(self, run: Run) -> None:
        raise LookupError("no such row")

    async def async_work(self, run: Run) -> None:
        """Until stopped, in two tasks of its loop."""
        Path(self.params.folder).touch()
        await asyncio.gather(self._checkpoints(run), asyncio.sleep(3600))

    async def _checkpoints(self, run: Run) -> None:
        while True:
            run.checkpoint(1)
            await asyncio.sleep(0.005)

    def swallow(self, run: Run) -> str:
        """Deaf to the wish to stop, and successful all the same."""
        Path(self.params.folder).touch()
        with contextlib.suppress(BaseException):
            while True:
                run.checkpoint(1)
                time.sleep(0.005)
        return "half of it"

    def ask(self, run: Run) -> None:
        """A question, a bar, and then a wait until the file is gone."""
        sys.stdout.write("Overwrite? [y/N] ")
        for done in range(5):
            sys.stderr.write(f"\r{done * 25} %")
        sys.stderr.flush()
        while Path(self.params.folder).exists():
            time.sleep(0.01)
        sys.stderr.write("\r100 %\n")
        print()


class Unspeakable:
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


def Warned_of_old() -> Any:  # noqa: N802
    from jobdeck.core.tasks import Checkpointed

    return Checkpointed("A")
