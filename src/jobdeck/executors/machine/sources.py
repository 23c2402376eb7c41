"""The files that a job type's code was loaded from, and whether they are the same: code is edited while it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

Stamp = tuple[int, int]
"""Time of the last change (ns) and size."""
OURS = "jobdeck"
"""Its own files change by an upgrade, after which everything is started anew."""


def sources_of(package: str) -> dict[str, Stamp]:
    """The loaded files of a top-level package or module as they are on disk now."""
    if package in ("", OURS) or package in sys.stdlib_module_names:
        return {}
    names = [n for n in sys.modules if n == package or n.startswith(f"{package}.")]
    found: dict[str, Stamp] = {}
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and (stamp := stamp_of(file)) is not None:
            found[file] = stamp
    return found


def stamp_of(file: str) -> Stamp | None:
    """None for what is not there."""
    try:
        seen = os.stat(file)  # noqa: PTH116 – in a hurry, for each task
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size


def changed(known: Mapping[str, Stamp]) -> str | None:
    """The first of these files that is another one now, or gone."""
    return next((file for file, stamp in known.items() if stamp_of(file) != tuple(stamp)), None)
