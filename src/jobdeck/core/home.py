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
