"""Which files of an installation tasks can reach when they run as another user: its storage and its folder for work."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobdeck.executors.machine.users import UMASK, TaskUser, TaskUserUnusable

_OPEN = ("storage", "work")
_LOGS = "logs"


def share(home: Path, work: Path, storage_url: str, user: TaskUser) -> None:
    """Open storage and work to the user's group, and close all else of the home to it; raises TaskUserUnusable.

    The home lets the group through and not look: 0710. Folders of the storage hand their group on. The logs in the
    storage stay closed."""
    os.umask(UMASK)
    try:
        _give(home, user.gid, 0o710)
    except PermissionError as error:
        raise TaskUserUnusable(
            f"Tasks cannot run as '{user.name}': the server may not give files to that user's group.",
            field="task_user",
            hint="Start the server as root, or leave the setting task_user out.",
        ) from error
    for entry in home.iterdir():
        if entry.name not in _OPEN and not entry.is_symlink():
            entry.chmod(0o700 if entry.is_dir() else 0o600)
    _hand_over(work, user.gid)
    if storage_url.startswith("file:"):
        storage = Path(unquote(urlsplit(storage_url).path))
        storage.mkdir(parents=True, exist_ok=True)
        logs = storage / _LOGS
        _hand_over(storage, user.gid, but=logs)
        logs.mkdir(exist_ok=True)
        _give(logs, os.getegid(), 0o700)


def _hand_over(folder: Path, gid: int, but: Path | None = None) -> None:
    """All below `folder`; what belongs to the group already is as it should be."""
    _give(folder, gid, 0o2770)
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if path == but or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            _hand_over(path, gid)
        elif entry.stat(follow_symlinks=False).st_gid != gid:
            _give(path, gid, 0o660)


def _give(path: Path, gid: int, mode: int) -> None:
    os.chown(path, -1, gid)
    path.chmod(mode)
