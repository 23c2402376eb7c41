"""The home is its owner's alone: modes are set right at every start, whoever made the folder and however."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

FOLDER = 0o700
FILE = 0o600


def make_private(home: Path) -> None:
    """Make the folder where it is not there, and take it and all in it from everybody but its owner. What this process
    makes from now on is its owner's alone, too. Where the system forbids that, the log says so."""
    os.umask(0o077)
    home.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    _narrow(home, home.stat(), FOLDER)
    left = [entry.path for entry in _loose(str(home)) if not _narrowed(entry)]
    if left:
        log.warning(
            "home_not_private", files=len(left), first=left[0],
            hint="They belong to another user. Give the home to the user that runs Jobdeck.",
        )  # fmt: skip


def make_files_private(database: Path) -> None:
    """The same for a database that lies elsewhere, and for the files that SQLite keeps beside it."""
    for path in (database, *(database.with_name(database.name + ending) for ending in ("-wal", "-shm"))):
        if path.is_file():
            _narrow(path, path.stat(), FILE)


def _loose(folder: str) -> Iterator[os.DirEntry[str]]:
    """What others may touch, below `folder`. A subfolder that is closed already was made by a private process, and is
    not looked through: nobody else gets into it."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        open_to_others = entry.stat(follow_symlinks=False).st_mode & 0o077
        if open_to_others:
            yield entry
        if entry.is_dir(follow_symlinks=False) and open_to_others:
            yield from _loose(entry.path)


def _narrowed(entry: os.DirEntry[str]) -> bool:
    facts = entry.stat(follow_symlinks=False)
    if not (stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode)):
        return True  # a socket or a pipe is nothing that is kept
    return _narrow(Path(entry.path), facts, FOLDER if stat.S_ISDIR(facts.st_mode) else FILE)


def _narrow(path: Path, facts: os.stat_result, most: int) -> bool:
    wanted = stat.S_IMODE(facts.st_mode) & most
    if wanted == stat.S_IMODE(facts.st_mode):
        return True
    try:
        path.chmod(wanted | (most if most == FOLDER else 0))
    except OSError as error:
        log.warning("home_not_private", path=str(path), error=str(error))
        return False
    return True
