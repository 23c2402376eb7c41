"""Looking at real processes."""

from __future__ import annotations

from pathlib import Path

import psutil

from jobdeck.core.tasks import TaskRequest
from jobdeck.executors.testing import request


def wild(method: str, folder: Path, **changes: object) -> TaskRequest:
    """A request for a method of `Wild`."""
    return request(method, implementation="tests.executors.wild:Wild", params={"folder": str(folder)}, **changes)


def written(folder: Path) -> set[int]:
    """The processes that wrote their number into `folder`."""
    return {int(path.name) for path in folder.iterdir()}


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    return {pid for pid in pids if psutil.pid_exists(pid) and _status(pid) not in (None, psutil.STATUS_ZOMBIE)}


def _status(pid: int) -> str | None:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return None


def below(pid: int) -> set[int]:
    """All live descendants of a process."""
    return alive({child.pid for child in psutil.Process(pid).children(recursive=True)})
