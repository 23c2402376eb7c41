"""What local folders need that buckets do by themselves: to outlast a power cut, and to go when they are empty."""

from __future__ import annotations

import os
from pathlib import Path


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
