"""SQLite has one writing process: the second one that starts on a database, or in a home, is told so."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from jobdeck.core.errors import Conflict, InvalidInput
from jobdeck.core.home import hand_to_owner

PATIENCE = 2.0
"""Seconds in which the guardian of a server that was killed ends what that server left."""


class Locks:
    """What a server holds as long as it lives; its end releases them, however it ends. A process that inherits the
    descriptors holds them, too."""

    def __init__(self) -> None:
        self._handles: list[IO[str]] = []

    @property
    def descriptors(self) -> tuple[int, ...]:
        return tuple(handle.fileno() for handle in self._handles)

    def take(self, path: Path, told: str, hint: str, patience: float = PATIENCE) -> None:
        """Hold `path`; raises Conflict with these words where a living process still does after `patience` seconds."""
        handle = _opened(path)
        end = time.monotonic() + patience
        while not _locked(handle):
            if time.monotonic() >= end:
                handle.close()
                self.release()
                raise Conflict(told, hint=hint)
            time.sleep(0.05)
        self._handles.append(handle)

    def release(self) -> None:
        for handle in self._handles:
            handle.close()
        self._handles = []


def _opened(path: Path) -> IO[str]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return path.open("a")
    hand_to_owner(descriptor, path.parent)
    return os.fdopen(descriptor, "w")


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock_installation(home: Path, database: Path) -> Locks:
    """Hold the home, and the database wherever it lies: two homes may name the same file."""
    locks = Locks()
    locks.take(
        home / "jobdeck.lock",
        f"Jobdeck is running in {home} already.",
        "Stop it first, or choose another folder with --home.",
    )
    real = database.resolve()
    if not real.parent.is_dir():
        locks.release()
        raise InvalidInput(
            f"The folder of the database {real} is not there.",
            field="database_url",
            hint="Make it, or correct the address: sqlite:///jobdeck.db lies in the folder that it is started from, "
            "sqlite:////srv/jobdeck.db at that path.",
        )
    locks.take(
        real.with_name(f"{real.name}.lock"),
        f"Jobdeck is running on the database {real} already, from another home.",
        "SQLite serves one server. Stop the other one, or use PostgreSQL for several.",
    )
    return locks
