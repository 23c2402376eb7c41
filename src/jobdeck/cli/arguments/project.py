"""Which project a command is about."""

from __future__ import annotations

import os

PROJECT_VARIABLE = "JOBDECK_PROJECT"


def chosen(project: str | None) -> str | None:
    """The project that was named on the command line, else in the environment, if any."""
    return project or os.environ.get(PROJECT_VARIABLE) or None
