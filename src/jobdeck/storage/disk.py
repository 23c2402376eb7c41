"""What local folders need that buckets do by themselves: to outlast a power cut, to have room, to go when empty."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile


def make(folder: Path) -> None:
    """The folder and those above it, so that they outlast a power cut."""
    if folder.is_dir():
        return
    make(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def settled(path: Path) -> None:
    """Return when the local file at `path`, and its name, would outlast a power cut."""
    sync(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Return when the file or folder would outlast a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prune(path: Path, top: Path) -> None:
    """Remove the folders above `path`, up to `top`, that are empty."""
    for parent in path.parents:
        if parent == top or not remove_empty(parent):
            return


def remove_empty(folder: Path) -> bool:
    """Whether it was empty, and is gone."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


ENOUGH = 16 * 1024 * 1024
"""Bytes that have to be free on a disk; with less, jobs fail within moments."""
_PROBE = bytes(64 * 1024)


def lack_of_room(folder: Path) -> str | None:
    """Why nothing more can be written into the folder, in plain words; None: there is room.

    It is tried as well as asked: quotas and read-only disks are found by writing alone. For a thread."""
    try:
        with TemporaryFile(dir=folder, buffering=0) as file:
            written = file.write(_PROBE)
        found = os.statvfs(folder)
    except OSError as error:
        return os.strerror(error.errno) if error.errno else "it cannot be written"
    free = found.f_bavail * found.f_frsize
    if (written or 0) < len(_PROBE):
        return os.strerror(errno.ENOSPC)
    return f"only {free / 1024**2:.1f} MiB are free" if free < ENOUGH else None
