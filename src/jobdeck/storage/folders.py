"""One folder of an object storage, local or S3: list, read, write, delete. Names are plain keys below the folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import obstore

from jobdeck.core.environment import Environment
from jobdeck.storage import disk, options, remote_files, stores
from jobdeck.storage.stores import Store


@dataclass(frozen=True, slots=True)
class Entry:
    """An object: its key below the folder, its size in bytes and a mark that changes when its content does."""

    name: str
    size: int
    fingerprint: str
    modified: int = 0
    """µs since 1970."""


@dataclass(frozen=True, slots=True)
class Folder:
    """`url` is `file:///…` or `s3://bucket/prefix`, without a trailing slash.

    `endpoints`: None in the installation's own storage; else it is the bucket of a connection, and these are the
    addresses that the installation allows besides public ones."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    endpoints: tuple[str, ...] | None = None

    @classmethod
    def of_project(cls, environment: Environment) -> Folder:
        """The project's part of the installation's storage."""
        return cls(environment.project_root(), environment.storage_options)

    def sub(self, *names: str) -> Folder:
        """The folder below; `names` must need no escaping in a URL."""
        return Folder("/".join((self.url.rstrip("/"), *names)), self.options, self.endpoints)

    @property
    def path(self) -> Path | None:
        """Where it is on this machine, or None for a bucket."""
        return stores.folder_of(self.url) if self.endpoints is None else None

    @property
    def bucket(self) -> str:
        """The name of the bucket that it is in; empty for a folder on this machine."""
        return "" if self.path is not None else self.url.removeprefix("s3://").partition("/")[0]

    def table_options(self) -> dict[str, str]:
        """The options as the table library takes them; only for the installation's own storage."""
        if self.endpoints is not None:
            raise NotImplementedError("Tables are opened in the installation's own storage only.")
        return {} if self.path is not None else options.parse(self.options).for_tables()

    def _store(self) -> Store | None:
        """None where there is no such local folder."""
        if self.endpoints is not None:
            return stores.foreign(self.url, self.options, self.endpoints)
        return stores.own(self.url, self.options) if self.path is None or self.path.is_dir() else None

    def _bucket(self) -> Store:
        store = self._store()
        if store is None:
            raise FileNotFoundError(self.url)
        return store

    def entries(self, below: str = "") -> Iterator[Entry]:
        """All objects below (or below the folder `below` in it), at any depth, sorted by name."""
        yield from sorted(self._listed(below), key=lambda entry: entry.name)

    def some(self, most: int, below: str = "") -> list[Entry]:
        """Up to `most` objects, in no order; what is listed for it does not grow with the folder."""
        return list(itertools.islice(self._listed(below), most))

    def _listed(self, below: str) -> Iterator[Entry]:
        store = self._store()
        if store is None:
            return
        with store.told():
            for batch in obstore.list(store.inner, store.key(below) or None):
                for meta in batch:
                    yield _entry(store, meta)

    def entry(self, name: str) -> Entry | None:
        """One object, or None when there is none of this name."""
        store = self._store()
        if store is None:
            return None
        try:
            with store.told():
                return _entry(store, obstore.head(store.inner, store.key(name)))
        except FileNotFoundError:
            return None

    def folders(self) -> list[str]:
        """Names of the folders directly below."""
        store = self._store()
        if store is None:
            return []
        with store.told():
            found = obstore.list_with_delimiter(store.inner, store.key("") or None)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def exists(self, name: str) -> bool:
        return self.entry(name) is not None

    def read(self, name: str) -> bytes:
        """The whole object; raises FileNotFoundError."""
        store = self._bucket()
        with store.told():
            return bytes(obstore.get(store.inner, store.key(name)).bytes())

    def write(self, name: str, data: bytes) -> None:
        """Put the whole object, at once or not at all; once this returned it outlasts a power cut."""
        if self.path is not None:
            disk.make(self.path)
        store = self._bucket()
        with store.told():
            obstore.put(store.inner, store.key(name), data)
        if self.path is not None:
            disk.settled(self.path / name)

    def open_output(self, name: str) -> IO[bytes]:
        """A file to write front to back; its content counts once it is closed."""
        if self.path is not None:
            target = self.path / name
            disk.make(target.parent)
            return target.open("wb")
        store = self._bucket()
        return remote_files.open_output(store, store.key(name))

    def open_input(self, name: str) -> IO[bytes]:
        """A seekable file; raises FileNotFoundError."""
        if self.path is not None:
            return (self.path / name).open("rb")
        store = self._bucket()
        return remote_files.open_input(store, store.key(name))

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, present or not, and local folders that become empty by it."""
        wanted = list(names)
        if self.path is None:
            store = self._bucket()
            with store.told():
                if wanted:
                    obstore.delete(store.inner, [store.key(name) for name in wanted])
            return
        for name in wanted:
            (self.path / name).unlink(missing_ok=True)
            disk.prune(self.path / name, self.path)

    def tidy_above(self) -> None:
        """Where folders are things: remove the one above if it is empty."""
        if self.path is not None:
            disk.remove_empty(self.path.parent)

    def tidy(self) -> None:
        """Where folders are things: remove the empty ones below, and this one if it is empty."""
        if self.path is None or not self.path.is_dir():
            return
        for folder, _, _ in os.walk(self.path, topdown=False):
            disk.remove_empty(Path(folder))

    def rename(self, old: str, new: str) -> None:
        """Move an object below the folder; a repeat after it happened does nothing."""
        store = self._bucket()
        try:
            with store.told():
                obstore.rename(store.inner, store.key(old), store.key(new))
        except FileNotFoundError:
            if not self.exists(new):
                raise


def _entry(store: Store, meta: Any) -> Entry:
    mark = meta.get("e_tag") or meta["last_modified"].isoformat()
    modified = int(meta["last_modified"].timestamp() * 1_000_000)
    return Entry(store.name(meta["path"]), meta["size"], f"{meta['size']}:{mark}", modified)


def flushed(file: IO[bytes], folder: Folder, name: str) -> None:
    """A file of `folder` that is still open for writing outlasts a power cut; a bucket says that by itself."""
    if folder.path is not None:
        file.flush()
        os.fsync(file.fileno())
        disk.sync((folder.path / name).parent)
