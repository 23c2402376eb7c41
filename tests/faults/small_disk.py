"""A disk of a few megabytes that a test can fill up, and make room on."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


class SmallDisk:
    """A file system of its own at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room, not for a byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                self._until_full(file.fileno(), bytes(size))

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def _until_full(self, descriptor: int, piece: bytes) -> None:
        while True:
            try:
                os.write(descriptor, piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Mount one. Where this machine does not let us, the test is skipped; in CI that is a failure."""
    folder = Path(tempfile.mkdtemp(prefix="jobdeck-disk-"))
    options = f"size={megabytes}m,mode=755"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode != 0:
        folder.rmdir()
        missing = f"A DISK THAT IS FULL WAS NOT TESTED: this machine lets us mount none ({done.stderr.decode()!r})"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
