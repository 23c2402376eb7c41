"""Folders in which processes keep what they have not passed on yet; a lock tells the living ones from the dead."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


class Spool:
    """A folder of this process's own below `root`. Its lock ends with the process, however that ends.

    A process number would not do: in a container the next process has the same one, elsewhere a stranger may."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / uuid.uuid4().hex[:12]
        root.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(self._lock_of(self.folder))
        self.folder.mkdir()

    def abandoned(self) -> Iterator[Path]:
        """Folders of processes that are gone, each held while it is looked at, and removed if it is empty then."""
        for folder in sorted(p for p in self._root.iterdir() if p.is_dir() and p != self.folder):
            lock = _hold(self._lock_of(folder))
            if lock is None:
                continue
            try:
                yield folder
                self._remove(folder)
            finally:
                os.close(lock)

    def leave(self) -> None:
        """Give the folder up; what is still in it is for the next process to find."""
        self._remove(self.folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _remove(self, folder: Path) -> None:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            self._lock_of(folder).unlink(missing_ok=True)

    def _lock_of(self, folder: Path) -> Path:
        return folder.with_suffix(".lock")


def _hold(path: Path) -> int | None:
    """Lock the file; None when a living process holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
