"""SQLite has one writing process: the second one that starts on a database, or in a home, is told so."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from jobdeck.core.errors import Conflict, InvalidInput


class Locks:
    """What a server holds as long as it lives; its end releases them, however it ends."""

    def __init__(self) -> None:
        self._handles: list[IO[str]] = []

    def take(self, path: Path, told: str, hint: str) -> None:
        """Hold `path`; raises Conflict with these words where a living process does."""
        handle = path.open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            self.release()
            raise Conflict(told, hint=hint) from error
        self._handles.append(handle)

    def release(self) -> None:
        for handle in self._handles:
            handle.close()
        self._handles = []


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
