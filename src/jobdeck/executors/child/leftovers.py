"""What a task left behind that only the end of its process removes: threads, processes, open files, memory."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import socket
import stat
import threading
import time
from _thread import _count as count_threads
from collections.abc import Callable
from concurrent.futures import thread as pools
from pathlib import Path

MORE_MEMORY = 512 * 1024 * 1024
"""Bytes beyond what a process had before its first task; one that grew more is not used for another."""
MORE_FILES = 100
"""Descriptors beyond what a process had; one that has more is not used for another task."""
WAIT = 10.0
"""Seconds that a step which returned is given for the threads that it left, as a program would wait for them."""
_ROUND = 0.05


class Leftovers:
    """Remembers what there was before the first task."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._count = count_threads()
        self._files = _files()
        self._memory = _memory()

    def threads(self) -> list[threading.Thread]:
        """Those that are not daemons, and not ours."""
        ours = self._threads
        return [t for t in threading.enumerate() if t not in ours and not t.daemon and t.is_alive()]

    def wait_for_threads(self, stopped: Callable[[], bool]) -> list[str]:
        """Wait for them as Python does at its end, for a while; the names of those that are left."""
        if not self.threads():
            return []
        # Pools of threads end when they are told; the process takes no other task, so it does not matter that from here
        # on no pool can be made in it.
        threading.Thread(target=_end_pools, name="jobdeck-pools", daemon=True).start()
        until = time.monotonic() + WAIT
        while (left := self.threads()) and time.monotonic() < until and not stopped():
            left[0].join(_ROUND)
        return [thread.name for thread in left]

    def found(self) -> str | None:
        """What is left, or None."""
        if has_children():
            return "a process"
        if count_threads() > self._count or not set(threading.enumerate()) <= self._threads:
            return "a thread"
        if self._memory + MORE_MEMORY < _memory():
            return "memory"
        if self._open_file():
            gc.collect()  # of files in cycles of objects nobody has hold any more
            return self._open_file()
        return None

    def _open_file(self) -> str | None:
        more = _files() - self._files
        if len(more) > MORE_FILES:
            return f"{len(more)} open files"
        return next((name for fd in more if (name := _file(fd)) is not None), None)


def _end_pools() -> None:
    with contextlib.suppress(Exception):
        pools._python_exit()  # noqa: SLF001 – what the interpreter calls at its end


def has_children() -> bool:
    """Whether a process that the task started lives on; ended ones are reaped. As subreaper we see orphans, too."""
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
    except ChildProcessError:
        return False


def _files() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208 – plain names, in a hurry


def _file(fd: int) -> str | None:
    """What it is, if it matters: files and connections do. What libraries' runtimes wait on, and wake themselves with,
    does not: that has no name, and both of its ends are in this process."""
    try:
        mode = os.fstat(fd).st_mode
        name = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 – as they are, in a hurry
    except OSError:
        return None  # the listing's own, closed by now
    own = stat.S_ISCHR(mode) or name.startswith(("anon_inode:", "pipe:")) or (stat.S_ISSOCK(mode) and _is_pair(fd))
    return None if own else f"open: {name}"


def _is_pair(fd: int) -> bool:
    """Whether it is one of two sockets of this machine that have no name."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as seen:
        return seen.family == socket.AF_UNIX and not seen.getsockname()
    return False


def _memory() -> int:
    # Not `ru_maxrss`, which counts what the worker had when it started this process.
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
