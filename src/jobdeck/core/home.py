"""Where an installation on this machine keeps its files unless told otherwise; server and client must agree on it."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "JOBDECK_HOME"
ADMIN_TOKEN = "admin.token"  # noqa: S105 - a file name, not a secret
"""The file in the home folder that holds the administrator's token (mode 600)."""

ADDRESS = "server.url"
"""The file in the home folder that names the address at which it was served last."""


def default_home() -> Path:
    """`$JOBDECK_HOME`, else `~/.jobdeck`."""
    configured = os.environ.get(HOME_VARIABLE)
    return Path(configured).expanduser() if configured else Path.home() / ".jobdeck"


def hand_to_owner(descriptor: int, folder: Path) -> None:
    """Give a file that root has just made in `folder` to that folder's owner, who could not read it otherwise.

    By its descriptor, as a path in a folder of somebody else may lead elsewhere by now."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
