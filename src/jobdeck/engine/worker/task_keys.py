"""What people see of a task: which part of the step's work it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os.path import commonprefix
from typing import Any

from jobdeck.core.values import clip

MAX_KEY = 200
_NAMES = ("key", "name", "file", "path", "url", "id")
"""Fields of a part that name it, the one that says most first."""


def task_keys(step: str, parts: Sequence[str | None]) -> list[str]:
    """A key for each part (JSON text): what it is called, without the folder that all share; else the step's name and
    the task's number."""
    names = [_name(part) for part in parts]
    folder = _shared_folder([name for name in names if name])
    return [_clipped(name.removeprefix(folder)) if name else f"{step}[{number}]" for number, name in enumerate(names)]


def _name(part: str | None) -> str:
    if part is None or not part.startswith(('"', "{")):
        return ""
    told: Any = json.loads(part)
    if isinstance(told, str):
        return told
    found = (told.get(field) for field in _NAMES)
    return next((str(value) for value in found if value and isinstance(value, str | int)), "")


def _shared_folder(names: Sequence[str]) -> str:
    """The beginning of all names up to the last slash before they differ, and before their last parts."""
    beginning: str = commonprefix([name[: name.rstrip("/").rfind("/") + 1] for name in names])  # noqa: RUF071 – up to a slash, below
    return beginning[: beginning.rfind("/") + 1]


def _clipped(key: str) -> str:
    """The end of a path tells more than its beginning."""
    key = key.replace("\0", "\N{SYMBOL FOR NULL}")
    key = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in key)
    return clip(key, MAX_KEY) if "/" not in key or len(key) <= MAX_KEY else f"…{key[-MAX_KEY + 1 :]}"
