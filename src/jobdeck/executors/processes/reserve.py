"""Descriptors kept for starting processes: what others leave open must not keep tasks from running."""

from __future__ import annotations

import contextlib
import os
import resource

FOR_A_PROCESS = 3
FOR_A_START = 12
"""Descriptors that are open for a moment while a process is started."""


class Reserve:
    """Holds descriptors that are given up where they are needed, and taken again where they can be had."""

    def __init__(self, processes: int) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = 1024 if soft == resource.RLIM_INFINITY else soft // 8
        self._size = min(FOR_A_PROCESS * processes + FOR_A_START, most)
        self._held: list[int] = []
        self.fill(processes)

    def fill(self, idle: int) -> None:
        """Hold what a start needs, and what `idle` places of processes will."""
        wanted = min(self._size, FOR_A_PROCESS * idle + FOR_A_START)
        with contextlib.suppress(OSError):
            while len(self._held) < wanted:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        while len(self._held) > wanted:
            os.close(self._held.pop())

    def lend(self) -> None:
        """Give up all; whoever needs them takes them before anybody else can, in the same turn of the loop."""
        while self._held:
            os.close(self._held.pop())
