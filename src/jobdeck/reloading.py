"""`jobdeck up --reload`: a server that is started again whenever the code of a job type is changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import FrameType
from typing import Any

from jobdeck.executors.machine.code import code_of
from jobdeck.jobs.registry import GROUP

LOOK_SECONDS = 0.5


def up_again(given: Mapping[str, Any]) -> int:
    """Run `jobdeck up` with the options `given` in a process of its own, again and again, until it ends by itself."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    return _Reloading([sys.executable, "-P", "-m", "jobdeck.cli.main", "up", *options]).run()


class _Reloading:
    """The process that serves, and the watch over the files of job types."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._asked = False

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        while True:
            seen, types = _files(), _types()
            self._child = subprocess.Popen(self._command, start_new_session=True)
            if self._asked:
                self._child.terminate()
            changed = self._changed(self._child, seen)
            if changed is None:
                return self._child.wait()
            print(f"{changed} was changed: Jobdeck starts again.", flush=True)  # noqa: T201 – as the command line does
            self._child.terminate()
            self._child.wait()
            if self._asked:
                return 0
            if _types() != types:
                # What was installed meanwhile may lie where only a new interpreter looks, as editable packages do.
                os.execv(sys.executable, sys.orig_argv)  # noqa: S606 – its own command, as it was given

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        """Pass the wish on; asked a second time, the server does not wait for its jobs."""
        self._asked = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()

    def _changed(self, child: subprocess.Popen[bytes], seen: Mapping[str, object]) -> str | None:
        """The file that was changed; None once the server has ended by itself, or as it was asked to."""
        while True:
            try:
                child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            else:
                return None
            now = _files()
            if now != seen and not self._asked:
                return next((file for file in {**seen, **now} if seen.get(file) != now.get(file)), "A job type")


def _files() -> dict[str, object]:
    """The files that job types are made of, with their last change; nothing of them is imported."""
    found: dict[str, object] = _types()
    for place in tuple(found.values()):
        found |= code_of(str(place)).files
    return found


def _types() -> dict[str, object]:
    """The job types that are installed, by name, and where each is."""
    return {f"The job type '{point.name}'": point.value for point in entry_points(group=GROUP)}
