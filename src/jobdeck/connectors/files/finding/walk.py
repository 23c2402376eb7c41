"""Looks for files in folders of the server: bounded, hidden ones left out, along no link out of what is allowed."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from jobdeck.connectors.errors import DataFailure

MOST_LOOKED_AT = 1_000_000
"""Files and folders that one look may come across."""
MOST_PARTS = 100
"""Folders that a pattern may name one below the other."""
_MARKS = re.compile(r"[*?\[]")


class Budget:
    """How many files and folders may still be looked at."""

    def __init__(self, most: int = MOST_LOOKED_AT) -> None:
        self._most = most
        self._left = most

    def take(self) -> None:
        """Raises DataFailure once there were too many."""
        self._left -= 1
        if self._left < 0:
            raise DataFailure(
                f"More than {self._most} files and folders would have to be looked at.",
                hint="Name fewer patterns, or narrower ones; `**` looks at all that lies below.",
            )


def has_marks(path: str) -> bool:
    """Whether it is a pattern."""
    return _MARKS.search(path) is not None


def is_inside(real: str, allowed: Iterable[str]) -> bool:
    """Whether a resolved path lies in one of the resolved folders."""
    return any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in allowed)


def matching(pattern: str, allowed: Sequence[str], budget: Budget) -> list[str]:
    """The paths that an absolute pattern means, sorted. `*` stays in one folder; `**` stands for any number of them,
    and several in a row for the same.

    `**` goes along no link at all, so that a loop of them is no loop here; `*` only along those that stay inside."""
    parts = [part for part in pattern.split("/") if part]
    parts = [part for part, before in zip(parts, ["", *parts], strict=False) if (part, before) != ("**", "**")]
    if len(parts) > MOST_PARTS:
        raise DataFailure(f"A pattern has {len(parts)} parts; {MOST_PARTS} are allowed.")
    return sorted(set(_matching("", parts, allowed, budget)))


def _matching(base: str, parts: Sequence[str], allowed: Sequence[str], budget: Budget) -> Iterator[str]:
    for index, part in enumerate(parts):
        if has_marks(part):
            yield from _beyond(base, part, parts[index + 1 :], allowed, budget)
            return
        base = f"{base}/{part}"
    budget.take()
    if os.path.lexists(base):
        yield base


def _beyond(base: str, part: str, rest: Sequence[str], allowed: Sequence[str], budget: Budget) -> Iterator[str]:
    if part == "**":
        yield from _any_depth(base, rest, allowed, budget)
        return
    fits = re.compile(fnmatch.translate(part)).match
    hidden = part.startswith(".")
    for entry in entries(base, budget):
        if (hidden or entry.name[0] != ".") and fits(entry.name):
            path = f"{base}/{entry.name}"
            if not rest:
                yield path
            elif _may_enter(entry, path, allowed):
                yield from _matching(path, rest, allowed, budget)


def _any_depth(base: str, rest: Sequence[str], allowed: Sequence[str], budget: Budget) -> Iterator[str]:
    folders = [base]
    while folders:
        folder = folders.pop()
        if rest:
            yield from _matching(folder, rest, allowed, budget)
        for entry in entries(folder, budget):
            if entry.name[0] == ".":
                continue
            if is_folder(entry):
                folders.append(f"{folder}/{entry.name}")
            elif not rest and not leads_to_folder(entry):
                yield f"{folder}/{entry.name}"


def entries(folder: str, budget: Budget) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is none, or may not be read."""
    found = []
    try:
        with os.scandir(folder or "/") as listed:
            for entry in listed:
                budget.take()
                found.append(entry)
    except OSError:
        return found
    return found


def is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _may_enter(entry: os.DirEntry[str], path: str, allowed: Sequence[str]) -> bool:
    try:
        if not entry.is_symlink():
            return entry.is_dir()
        return entry.is_dir() and is_inside(os.path.realpath(path), allowed)
    except OSError:
        return False
