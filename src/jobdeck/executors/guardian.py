"""`python -m jobdeck.executors.guardian`: outlives the worker by a moment, to kill what it left behind.

A process of its own, because neither a worker that was killed or stopped nor a task that computes without letting
other threads run can be relied on to do it. Reads lines: `+ PID STARTED MARK`, `- PID`, `= DEADLINE` (CLOCK_MONOTONIC).
"""

from __future__ import annotations

import os
import select
import signal
import time

from jobdeck.executors.machine.private import keep_out
from jobdeck.executors.tree import Tree, kill_all


class Guardian:
    """Knows the worker's children and until when its leases hold."""

    def __init__(self) -> None:
        self._trees: dict[int, Tree] = {}
        self._deadline: float | None = None

    def hear(self, line: str) -> None:
        match line.split():
            case ["+", pid, started, mark]:
                self._trees[int(pid)] = Tree(int(pid), int(started), mark)
            case ["-", pid]:
                self._trees.pop(int(pid), None)
            case ["=", deadline]:
                self._deadline = float(deadline)

    def patience(self) -> float | None:
        """Seconds until the leases end; None while there is no deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def expire(self) -> None:
        """The deadline passed: kill all. What is started later is not touched until a newer deadline passes."""
        self._deadline = None
        self.kill_all()

    def kill_all(self) -> None:
        trees, self._trees = list(self._trees.values()), {}
        kill_all(trees)


def main() -> None:
    """Guard until the worker is gone, then kill what it left, then end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when its worker does, not before
    keep_out()
    guardian = Guardian()
    rest = ""
    while True:
        ready, _, _ = select.select([0], [], [], guardian.patience())
        if not ready:
            guardian.expire()
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, rest = (rest + data.decode("ascii")).split("\n")
        for line in lines:
            guardian.hear(line)
    guardian.kill_all()


if __name__ == "__main__":
    main()
