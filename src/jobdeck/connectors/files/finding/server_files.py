"""Files of the server, in folders that the installation allows: found within a budget, opened as they were found."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jobdeck.connectors.errors import DataFailure, FileMissing, PathNotAllowed, SourceChanged
from jobdeck.connectors.files.finding.folders import hidden, partition_of, refuse_table, table_kind
from jobdeck.connectors.files.finding.found import (
    GONE,
    MAX_FILES,
    Found,
    Located,
    check_same,
    fixed_part,
    folders_on_the_way,
    leave_out,
    some,
)  # fmt: skip
from jobdeck.connectors.files.finding.walk import (
    Budget,
    entries,
    has_marks,
    is_folder,
    is_inside,
    leads_to_folder,
    matching,
)  # fmt: skip
from jobdeck.core.environment import Environment


def _no_path(entry: str) -> PathNotAllowed:
    scheme, address, _ = entry.partition("://")
    if address and scheme.isalnum():
        what = f"'{entry}': nothing is read from addresses of {scheme}://."
        return PathNotAllowed(what, hint="Fetch the file and upload it, or put it into a bucket: s3://….")
    return PathNotAllowed(
        f"'{entry}' is not an absolute path.", hint="Write the whole path, upload the file, or use s3://…."
    )


def find_on_server(entry: str, environment: Environment, budget: Budget) -> Found:
    """The files that an absolute path or a pattern means."""
    allowed = Allowed.by(environment)
    if not entry.startswith("/"):
        raise _no_path(entry)
    fixed = entry if not has_marks(entry) else fixed_part(entry)
    if ".." in Path(entry[len(fixed) :]).parts:
        raise PathNotAllowed(f"'{entry}' climbs with '..' behind a pattern.")
    _inside(entry, os.path.realpath(fixed.rpartition("/")[0] if fixed != entry else fixed), allowed)
    exact = os.path.lexists(entry)
    if exact and not Path(entry).is_dir():
        return Found(files=[local(entry, allowed)])
    base = entry.rstrip("/") if exact else fixed.rpartition("/")[0]
    tops = [base] if exact else matching(entry, allowed.folders, budget)
    look = _FolderWalk(base, entry, allowed, budget)
    look.above()
    for top in tops:
        look.at(top)
    if len(look.found) > MAX_FILES:
        raise DataFailure(f"{entry} means {len(look.found)} files; {MAX_FILES} are allowed in one job.")
    return some(look.found, look.left_out, f"There is no file at {entry}.")


class _FolderWalk:
    """Gathers the files below folders of the server; `base` is where names of folders begin to mean columns."""

    def __init__(self, base: str, entry: str, allowed: Allowed, budget: Budget) -> None:
        self._base, self._entry, self._allowed, self._budget = base, entry, allowed, budget
        self._looked: set[str] = set()
        self._added: set[str] = set()
        self.found: list[Located] = []
        self.left_out: list[str] = []

    def above(self) -> None:
        """A part of a table is none of its rows either; above the allowed folders nothing is looked at."""
        for folder in (Path(self._base), *Path(self._base).parents):
            real = os.path.realpath(folder)
            if not is_inside(real, self._allowed.folders):
                return
            self._refuse_table(str(folder))

    def at(self, top: str) -> None:
        relative = top[len(self._base) :].lstrip("/")
        self._refuse_tables(relative if not Path(top).is_dir() else f"{relative}/" if relative else "")
        if relative and leave_out(relative, self._entry, self.left_out, self._base):
            return
        if not Path(top).is_dir():
            self._add(top)
            return
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            seen = entries(folder, self._budget)
            self._refuse_table(folder, [entry.name for entry in seen])
            below = folder[len(self._base) :].strip("/")
            for entry in seen:
                if hidden(entry.name):
                    leave_out(f"{below}/{entry.name}".lstrip("/"), self._entry, self.left_out, self._base)
            kept = [entry for entry in seen if not hidden(entry.name)]
            for path in sorted(f"{folder}/{entry.name}" for entry in kept if not leads_to_folder(entry)):
                self._add(path)
            waiting += sorted((f"{folder}/{entry.name}" for entry in kept if is_folder(entry)), reverse=True)

    def _add(self, path: str) -> None:
        """Once each: a pattern may mean a folder and the files in it."""
        if path in self._added:
            return
        self._added.add(path)
        partition = partition_of(path[len(self._base) :].lstrip("/"))
        self.found.append(local(path, self._allowed).model_copy(update={"partition": partition}))

    def _refuse_tables(self, relative: str) -> None:
        for folder in folders_on_the_way(self._base, relative):
            self._refuse_table(folder)

    def _refuse_table(self, folder: str, names: list[str] | None = None) -> None:
        if folder in self._looked:
            return
        self._looked.add(folder)
        _inside(folder, os.path.realpath(folder), self._allowed)
        names = self._names_in(folder) if names is None else names
        kind = table_kind(names, self._names_in(f"{folder}/metadata") if "metadata" in names else [])
        if kind is not None:
            refuse_table(folder, kind)

    def _names_in(self, folder: str) -> list[str]:
        return [entry.name for entry in entries(folder, self._budget)]


def local(path: str, allowed: Allowed) -> Located:
    real = os.path.realpath(path)
    _inside(path, real, allowed)
    try:
        facts = Path(real).stat()
    except OSError:
        raise FileMissing(f"There is no file at {path}.", hint=GONE) from None
    if not stat.S_ISREG(facts.st_mode):
        raise PathNotAllowed(f"{path} is not an ordinary file.")
    return Located(name=path, kind="local", path=real, size=facts.st_size, fingerprint=_mark(facts))


def _mark(facts: os.stat_result) -> str:
    return f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ino}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Folders that jobs may read, and those of the installation that they may not, all resolved."""

    folders: tuple[str, ...]
    forbidden: tuple[str, ...]

    @classmethod
    def by(cls, environment: Environment) -> Allowed:
        return cls(tuple(map(os.path.realpath, environment.allowed_paths)), environment.forbidden_paths)


def _inside(entry: str, real: str, allowed: Allowed) -> None:
    if is_inside(real, allowed.forbidden):
        raise PathNotAllowed(
            f"{entry} is among the installation's own files, which no job may read.",
            hint="Upload the file, or name it in another folder.",
        )
    if not is_inside(real, allowed.folders):
        raise PathNotAllowed(
            f"{entry} is not in a folder that jobs may read.",
            hint="Upload the file, or let an administrator allow its folder.",
        )


def open_local(file: Located, environment: Environment) -> IO[bytes]:
    allowed = Allowed.by(environment)
    try:
        # A link put in its place since is not followed, and a pipe does not hang.
        handle = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        hint = "Put it back, or let it be read, then resume the job."
        raise SourceChanged(f"{file.name} can no longer be opened: {error.strerror}.", hint=hint) from error
    opened = os.fdopen(handle, "rb", 1 << 20)
    try:
        _inside(file.name, os.path.realpath(file.path), allowed)
        check_same(file, _mark(os.fstat(handle)))
    except BaseException:
        opened.close()
        raise
    return opened
