"""Which project a command is about."""

from __future__ import annotations

from jobdeck.client.settings import named_project


def chosen(project: str | None) -> str | None:
    """The project that was named on the command line, else in the environment, if any."""
    return project or named_project()
