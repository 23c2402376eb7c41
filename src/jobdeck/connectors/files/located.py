"""Finds the files that an entry means and opens them: server paths under allowed folders, project files, buckets."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Literal
from urllib.parse import unquote

from pydantic import BaseModel

from jobdeck.connectors.errors import DataFailure, FileMissing, PathNotAllowed, SourceChanged
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

    @property
    def filename(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def object(self) -> str:
        """The stable reference for programs."""
        return self.ref or self.name


def locate(entry: str, environment: Environment) -> list[Located]:
    """The files `entry` means, sorted, at least one. Raises FileMissing, PathNotAllowed or another DataFailure."""
    if not entry or "\0" in entry:
        raise FileMissing("A file has an empty name, or one with a NUL character.")
    if entry.startswith("file:") and not entry.startswith("file:/"):
        return [_project_file(entry, environment)]
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


def _bucket(entry: str, environment: Environment) -> list[Located]:
    connection = covering(entry, environment)
    options = {str(k): str(v) for k, v in connection.options.get("options", {}).items()}
    return _below(entry, Folder(_root(connection), options), connection.name)


def _below(entry: str, root: Folder, connection: str) -> list[Located]:
    wanted = entry.removeprefix(root.url).strip("/")
    pattern = _pattern(wanted) if any(mark in wanted for mark in "*?[") else None
    found = []
    for item in root.entries():
        inside = item.name.startswith(wanted + "/") if wanted else True
        if item.name == wanted or inside or (pattern is not None and pattern.fullmatch(item.name)):
            found.append(_stored(f"{root.url}/{item.name}", root, item, connection))
    if not found:
        raise FileMissing(f"There is nothing at {entry}.")
    return found


def _pattern(text: str) -> re.Pattern[str]:
    """A glob over keys: `**` crosses folders, `*` and `?` do not."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces))


def _server(entry: str, environment: Environment) -> list[Located]:
    allowed = [os.path.realpath(folder) for folder in environment.allowed_paths]
    if not entry.startswith("/"):
        raise PathNotAllowed(
            f"'{entry}' is not an absolute path.", hint="Write the whole path, upload the file, or use s3://…."
        )
    fixed = entry if not glob.has_magic(entry) else re.split(r"[*?\[]", entry, maxsplit=1)[0]
    if ".." in Path(entry[len(fixed) :]).parts:
        raise PathNotAllowed(f"'{entry}' climbs with '..' behind a pattern.")
    _inside(entry, os.path.realpath(fixed.rpartition("/")[0] if fixed != entry else fixed), allowed)
    paths = [entry] if os.path.lexists(entry) else sorted(glob.iglob(entry, recursive=True))  # noqa: PTH207  (absolute patterns)
    found = [_local(path, allowed) for top in paths for path in _files_below(top)]
    if not found:
        raise FileMissing(f"There is no file at {entry}.")
    if len(found) > MAX_FILES:
        raise DataFailure(f"{entry} means {len(found)} files; {MAX_FILES} are allowed in one job.")
    return found


def _files_below(top: str) -> Iterator[str]:
    """The file itself, or the files below a folder, sorted; hidden ones and those that begin with `_` are left out."""
    if not Path(top).is_dir():
        yield top
        return
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        yield from (f"{folder}/{name}" for name in sorted(names) if name[0] not in "._")


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
