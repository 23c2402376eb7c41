"""Finds the files that an entry means and opens them: server paths under allowed folders, project files, buckets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO
from urllib.parse import unquote

from jobdeck.connectors.errors import DataFailure, FileMissing, PathNotAllowed, SourceChanged
from jobdeck.connectors.files.finding.folders import partition_of, refuse_table, table_kind
from jobdeck.connectors.files.finding.found import (
    MAX_FILES,
    Found,
    Located,
    check_same,
    fixed_part,
    folders_on_the_way,
    leave_out,
    some,
)
from jobdeck.connectors.files.finding.server_files import find_on_server, open_local
from jobdeck.connectors.files.finding.walk import Budget, has_marks
from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.refs import shown, with_id
from jobdeck.storage import connection as connection_options
from jobdeck.storage.folders import Entry, Folder
from jobdeck.storage.places import version_of

MOST_VERSIONS = 100
"""Objects of a project file that are looked at: more than there ever are."""
_FILE_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}")


def locate(entry: str, environment: Environment, budget: Budget | None = None) -> list[Located]:
    """The files `entry` means, sorted, at least one. Raises FileMissing, PathNotAllowed or another DataFailure."""
    return find(entry, environment, budget).files


def find(entry: str, environment: Environment, budget: Budget | None = None) -> Found:
    """The files `entry` means. Raises FileMissing, PathNotAllowed, FolderIsTable or another DataFailure.

    `budget` bounds how much is looked at on the server, for all entries it is used for together."""
    if not entry or "\0" in entry:
        raise FileMissing("A file has an empty name, or one with a NUL character.")
    if entry.startswith("file:") and not entry.startswith("file:/"):
        return Found(files=[_project_file(entry, environment)])
    if needs_secrets(entry):
        return _bucket(entry, environment)
    return find_on_server(entry.removeprefix("file://"), environment, budget or Budget())


def _project_file(entry: str, environment: Environment) -> Located:
    number = entry.removeprefix("file:")
    if not _FILE_ID.fullmatch(number):
        raise FileMissing(f"'{entry}' is no project file.", hint="Write file:<id> with the id of an uploaded file.")
    folder = Folder.of_project(environment).sub("files", number)
    found = sorted(((version_of(item.name), item) for item in folder.some(MOST_VERSIONS)), key=lambda pair: pair[0])
    if not found or [version for version, _ in found].count(found[-1][0]) != 1:
        raise FileMissing(f"There is no project file {number}.", hint="It may have expired; upload it again.")
    version, item = found[-1]
    name = shown(unquote(item.name.rpartition("/")[2]))
    located = _stored(with_id(name, entry), folder, item)
    return located.model_copy(update={"uploaded_as": name, "ref": entry, "version": version})


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
    return _below(entry, _bucket_of(connection, _root(connection), environment), connection.name)


def _bucket_of(spec: ConnectionSpec, url: str, environment: Environment) -> Folder:
    """A place in a connection's bucket: with what the connection says and nothing from the surroundings."""
    return Folder(url, connection_options.given(spec.options), environment.allowed_endpoints)


def _below(entry: str, root: Folder, connection: str) -> Found:
    wanted = entry.removeprefix(root.url).strip("/")
    pattern = _pattern(wanted) if has_marks(wanted) else None
    single = root.entry(wanted) if wanted and pattern is None else None
    if single is not None:
        return Found(files=[_stored(f"{root.url}/{single.name}", root, single, connection)])
    base = wanted if pattern is None else fixed_part(wanted).rpartition("/")[0]
    _refuse_tables_above(base, root)
    items = list(root.entries(base))
    tables = _tables_of(item.name for item in items)
    found, left_out = [], list[str]()
    for item in items:
        if pattern is not None and not pattern.fullmatch(item.name):
            continue
        relative = item.name.removeprefix(base).lstrip("/")
        for folder in folders_on_the_way("", item.name):
            if folder in tables:
                refuse_table(f"{root.url}/{folder}".rstrip("/"), tables[folder])
        if leave_out(relative, entry, left_out, f"{root.url}/{base}".rstrip("/")):
            continue
        file = _stored(f"{root.url}/{item.name}", root, item, connection)
        found.append(file.model_copy(update={"partition": partition_of(relative)}))
    if len(found) > MAX_FILES:
        raise DataFailure(f"{entry} means {len(found)} files; {MAX_FILES} are allowed in one job.")
    return some(found, left_out, f"There is nothing at {entry}.")


def _refuse_tables_above(base: str, root: Folder) -> None:
    """A part of a table is none of its rows either; each folder above is asked for the table's own folder."""
    for folder in folders_on_the_way("", base):
        for own in ("_delta_log", ".hoodie"):
            if root.some(1, f"{folder}/{own}".lstrip("/")):
                refuse_table(f"{root.url}/{folder}".rstrip("/"), str(table_kind([own])))


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


def _pattern(text: str) -> re.Pattern[str]:
    """A glob over keys: `**` crosses folders, `*` and `?` do not."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces))


def open_located(file: Located, environment: Environment) -> IO[bytes]:
    """The file's bytes, seekable. Raises SourceChanged when it is not the file that was located."""
    if file.kind == "local":
        return open_local(file, environment)
    unchanged(file, environment)
    return _folder(file, environment).open_input(file.path)


def unchanged(file: Located, environment: Environment) -> None:
    """Raises SourceChanged unless the file is still the one that was located."""
    if file.kind == "local":
        open_local(file, environment).close()
        return
    folder = _folder(file, environment)
    found = folder.entry(file.path)
    check_same(file, found.fingerprint if found is not None else None)


def _folder(file: Located, environment: Environment) -> Folder:
    if not file.connection:
        return Folder(file.folder, environment.storage_options)
    connection = environment.connections.get(file.connection)
    if connection is None:
        raise SourceChanged(f"The connection '{file.connection}', through which {file.name} was found, is gone.")
    return _bucket_of(connection, file.folder, environment)
