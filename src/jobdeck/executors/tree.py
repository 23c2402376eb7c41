"""Which processes belong to a child, and killing all of them. Imports nothing heavy: the guardian runs this, too."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
MARK = "JOBDECK_TREE"
"""The environment variable by which a child's descendants are known, wherever they moved in the tree."""

_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_ROUND = 0.001
_LONGEST_ROUND = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """A process at one moment."""

    pid: int
    parent: int
    session: int
    started: int
    """Clock ticks since boot; tells a number that is used again apart."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A child process and all that came from it: same session, descendants, and whoever carries its mark."""

    root: int
    started: int
    mark: str

    @classmethod
    def of(cls, pid: int, mark: str) -> Tree:
        """The tree of a child that was just started and is not reaped. Raises OSError when files have run out."""
        seen = _look(pid, zombies=True, patient=False)
        return cls(pid, seen.started if seen else 0, mark)

    def members(self, known: Mapping[int, Seen]) -> dict[int, Seen]:
        """The live processes of this tree by their numbers; `known` ones count until they are gone, and so do their
        descendants: one that is dying has lost its mark before it has closed its files."""
        table = processes()
        root = _look(self.root, zombies=True)
        ours = root is None or root.started == self.started
        found = {p.pid for p in table.values() if ours and self.root in (p.pid, p.session)}
        found |= {pid for pid, seen in known.items() if pid in table and table[pid].started == seen.started}
        found |= {pid for pid in table if pid not in found and _carries(pid, self.mark)}
        _add_descendants(found, table, known)
        return {pid: table[pid] for pid in found}

    def kill(self) -> None:
        """SIGKILL until none is left; the root may stay as a zombie of its parent, to be reaped there. Blocks."""
        kill_all([self])


def kill_all(trees: Collection[Tree]) -> None:
    """SIGKILL all of `trees` until nothing of them is left. Blocks.

    First it is seen who belongs to them, because a descendant that has neither session nor mark is known by its parents
    alone. Then the roots go first: none must take the death of what it started for an answer, and go on."""
    known = {tree: tree.members({}) for tree in trees}
    living = known
    pause = _ROUND
    while any(living.values()):
        roots = {tree.root for tree in trees}
        for pid in sorted({pid for of in living.values() for pid in of}, key=lambda pid: pid not in roots):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_ROUND)
        living = {tree: tree.members(known[tree]) for tree in trees}
        known = {tree: known[tree] | living[tree] for tree in trees}
    for tree, pids in known.items():
        for pid in pids.keys() - {tree.root}:  # ours to reap where we are the first process of a container
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _add_descendants(found: set[int], table: Mapping[int, Seen], known: Collection[int]) -> None:
    me = os.getpid()
    size = -1
    while size != len(found):
        size = len(found)
        found |= {p.pid for p in table.values() if p.parent in found or p.parent in known}
    found.discard(me)


def processes() -> dict[int, Seen]:
    """Every live process of this machine that can be seen."""
    names = _patiently(lambda: os.listdir("/proc"))  # noqa: PTH208 – a thousand plain names, in a hurry
    numbers = (int(name) for name in names if name.isdigit())
    return {pid: seen for pid in numbers if (seen := _look(pid)) is not None}


def _look(pid: int, zombies: bool = False, patient: bool = True) -> Seen | None:
    stat = _read(f"/proc/{pid}/stat", patient)
    end = stat.rfind(b")")
    if end < 0:
        return None
    fields = stat[end + 2 :].split()
    if not zombies and fields[0] in (b"Z", b"X"):
        return None
    return Seen(pid, int(fields[1]), int(fields[3]), int(fields[19]))


def _carries(pid: int, mark: str) -> bool:
    return f"{MARK}={mark}".encode() in _read(f"/proc/{pid}/environ").split(b"\0")


def _read(path: str, patient: bool = True) -> bytes:
    """Empty for what is not there, or not to be read."""
    try:
        return _patiently(Path(path).read_bytes) if patient else Path(path).read_bytes()
    except OSError as error:
        if error.errno in _PASSING:
            raise
        return b""


def _patiently(look: Callable[[], T]) -> T:
    """Look again while files have run out: who cannot be looked at must not be taken for dead. Blocks."""
    while True:
        try:
            return look()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
        time.sleep(_LONGEST_ROUND)
