"""Finds the files that an entry means and opens them: server paths under allowed folders, project files, buckets."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal
from urllib.parse import unquote

from pydantic import BaseModel, Field

from jobdeck.connectors.errors import DataFailure, FileMissing, PathNotAllowed, SourceChanged
from jobdeck.connectors.files.folders import hidden, hidden_part, partition_of, refuse_table, table_kind
from jobdeck.connectors.storage import Entry, Folder
from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.refs import shown, with_id

MAX_FILES = 100_000
_FILE_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}")


class Located(BaseModel):
    """A file that was found. `name` is what people see, in messages and lists: a path, an address, or the name that a
    project file was uploaded under with what jobs call it, as in `orders.csv (file:22)`. `fingerprint` changes with the
    content."""

    name: str
    uploaded_as: str | None = None
    """Of a project file: the name alone."""
    ref: str = ""
    """What jobs call it and lineage records; see `object`."""
    kind: Literal["local", "stored"]
    path: str
    """The resolved path (`local`), or the key below `folder` (`stored`)."""
    folder: str = ""
    connection: str = ""
    size: int
    fingerprint: str
    partition: dict[str, str | None] = Field(default_factory=dict)
    """Columns that the names of its folders give, below what was asked for."""

    @property
    def filename(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def object(self) -> str:
        """The stable reference for programs."""
        return self.ref or self.name


class Found(BaseModel):
    """The files that an entry means, at least one, sorted, and the hidden files and folders that were left out."""

    files: list[Located]
    left_out: list[str] = Field(default_factory=list)


def locate(entry: str, environment: Environment) -> list[Located]:
    """The files `entry` means, sorted, at least one. Raises FileMissing, PathNotAllowed or another DataFailure."""
    return find(entry, environment).files


def left_out(names: list[str]) -> str:
    """What people are told of hidden files and folders."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Left out, because their names begin with '.' or '_': {', '.join(names[:3])}{more}."


def find(entry: str, environment: Environment) -> Found:
    """The files `entry` means. Raises FileMissing, PathNotAllowed, FolderIsTable or another DataFailure."""
    if not entry or "\0" in entry:
        raise FileMissing("A file has an empty name, or one with a NUL character.")
    if entry.startswith("file:") and not entry.startswith("file:/"):
        return Found(files=[_project_file(entry, environment)])
    if needs_secrets(entry):
        return _bucket(entry, environment)
    return _server(entry.removeprefix("file://"), environment)


def _project_file(entry: str, environment: Environment) -> Located:
    number = entry.removeprefix("file:")
    if not _FILE_ID.fullmatch(number):
        raise FileMissing(f"'{entry}' is no project file.", hint="Write file:<id> with the id of an uploaded file.")
    folder = Folder(environment.project_root(), environment.storage_options).sub("files", number)
    found = list(folder.entries())
    if len(found) != 1:
        raise FileMissing(f"There is no project file {number}.", hint="It may have expired; upload it again.")
    name = shown(unquote(found[0].name))
    located = _stored(with_id(name, entry), folder, found[0])
    return located.model_copy(update={"uploaded_as": name, "ref": entry})


def _stored(name: str, folder: Folder, entry: Entry, connection: str = "") -> Located:
    return Located(
        name=name,
        kind="stored",
        path=entry.name,
        folder=folder.url,
        connection=connection,
        size=entry.size,
        fingerprint=entry.fingerprint,
    )


def needs_secrets(entry: str) -> bool:
    """Whether only a task can look for `entry`: the server that accepts a job has no keys of other systems."""
    return entry.startswith("s3://")


def covering(entry: str, environment: Environment) -> ConnectionSpec:
    """The connection through which a bucket's `entry` is read; raises PathNotAllowed where there is none.

    Only through a connection: the installation's own credentials would open other projects' data."""
    for connection in environment.connections.values():
        root = _root(connection)
        if connection.kind == "files" and root.startswith("s3://") and (entry == root or entry.startswith(root + "/")):
            return connection
    raise PathNotAllowed(
        f"No connection of this project covers {entry}.",
        hint="Add a connection of kind 'files' with the bucket's url and keys.",
    )


def _root(connection: ConnectionSpec) -> str:
    return str(connection.options.get("url", "")).rstrip("/")


def _bucket(entry: str, environment: Environment) -> Found:
    connection = covering(entry, environment)
    options = {str(k): str(v) for k, v in connection.options.get("options", {}).items()}
    return _below(entry, Folder(_root(connection), options), connection.name)


def _below(entry: str, root: Folder, connection: str) -> Found:
    wanted = entry.removeprefix(root.url).strip("/")
    pattern = _pattern(wanted) if any(mark in wanted for mark in "*?[") else None
    base = wanted if pattern is None else _fixed(wanted).rpartition("/")[0]
    items = list(root.entries())
    tables = _tables_of(item.name for item in items)
    found, left_out = [], list[str]()
    for item in items:
        if item.name == wanted:
            found.append(_stored(f"{root.url}/{item.name}", root, item, connection))
            continue
        inside = item.name.startswith(wanted + "/") if wanted else True
        if not (inside or (pattern is not None and pattern.fullmatch(item.name))):
            continue
        relative = item.name.removeprefix(base).lstrip("/")
        for folder in _folders_of("", item.name):
            if folder in tables:
                refuse_table(f"{root.url}/{folder}".rstrip("/"), tables[folder])
        if _leave_out(relative, entry, left_out, f"{root.url}/{base}".rstrip("/")):
            continue
        file = _stored(f"{root.url}/{item.name}", root, item, connection)
        found.append(file.model_copy(update={"partition": partition_of(relative)}))
    return _some(found, left_out, f"There is nothing at {entry}.")


def _some(found: list[Located], left_out: list[str], missing: str) -> Found:
    if not found:
        hint = f"Hidden files and folders are left out, such as {left_out[0]}." if left_out else None
        raise FileMissing(missing, hint=hint)
    return Found(files=found, left_out=left_out)


def _leave_out(relative: str, entry: str, left_out: list[str], base: str) -> bool:
    """Whether the file is hidden and the entry does not name it so; notes what was left out, once."""
    part = hidden_part(relative)
    if part is None or (part == relative and hidden(entry.rpartition("/")[2])):
        return False
    if f"{base}/{part}" not in left_out:
        left_out.append(f"{base}/{part}")
    return True


def _folders_of(base: str, relative: str) -> Iterator[str]:
    """`base` and the folders below it on the way to the file `relative`."""
    yield base
    parts = relative.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join([*([base] if base else []), *parts[:count]])


def _tables_of(names: Iterable[str]) -> dict[str, str]:
    """Folders that are tables of other systems, by the keys below them."""
    tables: dict[str, str] = {}
    for name in names:
        folder, _, last = name.rpartition("/")
        above, _, inner = folder.rpartition("/")
        kind = table_kind([inner], [last] if inner == "metadata" else [])
        if kind is not None:
            tables.setdefault(above, kind)
    return tables


def _fixed(pattern: str) -> str:
    """What stands before the first mark of a pattern."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def _pattern(text: str) -> re.Pattern[str]:
    """A glob over keys: `**` crosses folders, `*` and `?` do not."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces))


def _server(entry: str, environment: Environment) -> Found:
    allowed = [os.path.realpath(folder) for folder in environment.allowed_paths]
    if not entry.startswith("/"):
        raise PathNotAllowed(
            f"'{entry}' is not an absolute path.", hint="Write the whole path, upload the file, or use s3://…."
        )
    fixed = entry if not glob.has_magic(entry) else _fixed(entry)
    if ".." in Path(entry[len(fixed) :]).parts:
        raise PathNotAllowed(f"'{entry}' climbs with '..' behind a pattern.")
    _inside(entry, os.path.realpath(fixed.rpartition("/")[0] if fixed != entry else fixed), allowed)
    exact = os.path.lexists(entry)
    if exact and not Path(entry).is_dir():
        return Found(files=[_local(entry, allowed)])
    base = entry.rstrip("/") if exact else fixed.rpartition("/")[0]
    tops = [base] if exact else sorted(glob.iglob(entry, recursive=True))  # noqa: PTH207  (absolute patterns)
    look = _Look(base, entry, allowed)
    look.above()
    for top in tops:
        look.at(top)
    if len(look.found) > MAX_FILES:
        raise DataFailure(f"{entry} means {len(look.found)} files; {MAX_FILES} are allowed in one job.")
    return _some(look.found, look.left_out, f"There is no file at {entry}.")


class _Look:
    """Gathers the files below folders of the server; `base` is where names of folders begin to mean columns."""

    def __init__(self, base: str, entry: str, allowed: list[str]) -> None:
        self._base, self._entry, self._allowed = base, entry, allowed
        self._looked: set[str] = set()
        self._added: set[str] = set()
        self.found: list[Located] = []
        self.left_out: list[str] = []

    def above(self) -> None:
        """A part of a table is none of its rows either; above the allowed folders nothing is looked at."""
        for folder in (Path(self._base), *Path(self._base).parents):
            real = os.path.realpath(folder)
            if not any(real == top or real.startswith(top.rstrip("/") + "/") for top in self._allowed):
                return
            self._refuse_table(str(folder))

    def at(self, top: str) -> None:
        relative = top[len(self._base) :].lstrip("/")
        self._refuse_tables(relative if not Path(top).is_dir() else f"{relative}/" if relative else "")
        if relative and _leave_out(relative, self._entry, self.left_out, self._base):
            return
        if not Path(top).is_dir():
            self._add(top)
            return
        for folder, folders, names in os.walk(top):
            self._refuse_table(folder)
            below = folder[len(self._base) :].strip("/")
            for name in (*folders, *names):
                if hidden(name):
                    _leave_out(f"{below}/{name}".lstrip("/"), self._entry, self.left_out, self._base)
            folders[:] = sorted(name for name in folders if not hidden(name))
            for name in sorted(name for name in names if not hidden(name)):
                self._add(f"{folder}/{name}")

    def _add(self, path: str) -> None:
        """Once each: a pattern may mean a folder and the files in it."""
        if path in self._added:
            return
        self._added.add(path)
        partition = partition_of(path[len(self._base) :].lstrip("/"))
        self.found.append(_local(path, self._allowed).model_copy(update={"partition": partition}))

    def _refuse_tables(self, relative: str) -> None:
        for folder in _folders_of(self._base, relative):
            self._refuse_table(folder)

    def _refuse_table(self, folder: str) -> None:
        if folder in self._looked:
            return
        self._looked.add(folder)
        _inside(folder, os.path.realpath(folder), self._allowed)
        names = _names_in(folder)
        kind = table_kind(names, _names_in(f"{folder}/metadata") if "metadata" in names else [])
        if kind is not None:
            refuse_table(folder, kind)


def _names_in(folder: str) -> list[str]:
    with suppress(OSError):
        return [path.name for path in Path(folder).iterdir()]
    return []


def _local(path: str, allowed: list[str]) -> Located:
    real = os.path.realpath(path)
    _inside(path, real, allowed)
    try:
        facts = Path(real).stat()
    except OSError:
        raise FileMissing(f"There is no file at {path}.") from None
    if not stat.S_ISREG(facts.st_mode):
        raise PathNotAllowed(f"{path} is not an ordinary file.")
    return Located(name=path, kind="local", path=real, size=facts.st_size, fingerprint=_mark(facts))


def _mark(facts: os.stat_result) -> str:
    return f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ino}"


def _inside(entry: str, real: str, allowed: Iterable[str]) -> None:
    if not any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in allowed):
        raise PathNotAllowed(
            f"{entry} is not in a folder that jobs may read.",
            hint="Upload the file, or let an administrator allow its folder.",
        )


def open_located(file: Located, environment: Environment) -> IO[bytes]:
    """The file's bytes, seekable. Raises SourceChanged when it is not the file that was located."""
    if file.kind == "local":
        return _open_local(file, environment)
    unchanged(file, environment)
    return _folder(file, environment).open_input(file.path)


def _open_local(file: Located, environment: Environment) -> IO[bytes]:
    allowed = [os.path.realpath(folder) for folder in environment.allowed_paths]
    try:
        # A link put in its place since is not followed, and a pipe does not hang.
        handle = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceChanged(f"{file.name} can no longer be opened: {error.strerror}.") from error
    opened = os.fdopen(handle, "rb", 1 << 20)
    try:
        _inside(file.name, os.path.realpath(file.path), allowed)
        _same(file, _mark(os.fstat(handle)))
    except BaseException:
        opened.close()
        raise
    return opened


def unchanged(file: Located, environment: Environment) -> None:
    """Raises SourceChanged unless the file is still the one that was located."""
    if file.kind == "local":
        _open_local(file, environment).close()
        return
    folder = _folder(file, environment)
    found = folder.entry(file.path)
    _same(file, found.fingerprint if found is not None else None)


def _same(file: Located, fingerprint: str | None) -> None:
    if fingerprint != file.fingerprint:
        raise SourceChanged(
            f"{file.name} has changed since the job looked at it.",
            hint="Restart the job to load the file as it is now.",
        )


def _folder(file: Located, environment: Environment) -> Folder:
    if not file.connection:
        return Folder(file.folder, environment.storage_options)
    connection = environment.connections.get(file.connection)
    if connection is None:
        raise SourceChanged(f"The connection '{file.connection}', through which {file.name} was found, is gone.")
    return Folder(file.folder, {str(k): str(v) for k, v in connection.options.get("options", {}).items()})
