"""The worker's side of its guardian: says which children there are and how long the leases hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from jobdeck.executors.machine.users import without_settings
from jobdeck.executors.processes.exits import when_ended
from jobdeck.executors.tree import Tree


class Guard:
    """Keeps one guardian process alive while there are children to guard."""

    def __init__(self, held: Sequence[int] = ()) -> None:
        """`held`: descriptors that the guardian keeps open, so that locks last until what it guards is dead."""
        self._held = tuple(held)
        self._trees: dict[int, Tree] = {}
        self._deadline: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._fd: int | None = None
        self._lock = threading.Lock()
        """Keeps the descriptor from being closed, and used again for something else, while a thread writes to it."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ready(self) -> None:
        """To be called before a child is started; raises OSError or RuntimeError when the system has none to give."""
        if self._process is None:
            self._start()

    def watch(self, tree: Tree) -> None:
        """From now on `tree` dies with this process, and when the deadline passes."""
        self._trees[tree.root] = tree
        self._say(_plus(tree))

    def forget(self, tree: Tree) -> None:
        """To be called before the child is reaped, while its number cannot be another's."""
        if self._trees.pop(tree.root, None) is not None:
            self._say(f"- {tree.root}\n")

    def extend(self, deadline: float) -> None:
        """From any thread; does not block."""
        self._deadline = deadline
        self._say(f"= {deadline!r}\n")

    @property
    def expired(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    async def aclose(self) -> None:
        process = self._let_go()
        if process is not None:
            await asyncio.to_thread(process.wait)

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "jobdeck.executors.guardian"]
        reading, self._fd = os.pipe()
        os.set_blocking(self._fd, False)
        # Said before there is anyone to hear it, so that this process may die right after it has started the guardian.
        for tree in self._trees.values():
            self._say(_plus(tree))
        if self._deadline is not None and not self.expired:
            self._say(f"= {self._deadline!r}\n")
        try:
            self._process = subprocess.Popen(
                command,
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=without_settings(),
                pass_fds=self._held,
            )
        except OSError:
            process = self._let_go()
            if process is not None:
                process.kill()
                process.wait()
            raise
        finally:
            os.close(reading)
        try:
            when_ended(self._process.pid, asyncio.get_running_loop(), self._ended)
        except RuntimeError:  # no thread to be had; without its pipe, the guardian ends
            process = self._let_go()
            if process is not None:
                process.kill()
                process.wait()
            raise

    def _ended(self) -> None:
        """Something killed the guardian: another one takes over."""
        process = self._let_go()
        if process is None:
            return
        process.wait()
        if self._trees:
            with contextlib.suppress(OSError, RuntimeError):
                self._start()

    def _let_go(self) -> subprocess.Popen[bytes] | None:
        """Close the pipe, upon which the guardian kills what it still knows and ends."""
        with self._lock:
            process, fd = self._process, self._fd
            self._process = self._fd = None
            if fd is not None:
                os.close(fd)
        return process

    def _say(self, line: str) -> None:
        """Never waits: a pipe that is full, because the guardian is stopped, loses a line."""
        with self._lock, contextlib.suppress(OSError):
            if self._fd is not None:
                os.write(self._fd, line.encode("ascii"))


def _plus(tree: Tree) -> str:
    return f"+ {tree.root} {tree.started} {tree.mark}\n"
