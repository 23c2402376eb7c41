"""One folder of an object storage, local or S3: list, read, write, delete. Names are plain keys below the folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, from_url


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
    """`url` is `file:///…` or `s3://bucket/prefix`, without a trailing slash."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def sub(self, *names: str) -> Folder:
        """The folder below; `names` must need no escaping in a URL."""
        return Folder("/".join((self.url.rstrip("/"), *names)), self.options)

    @property
    def path(self) -> Path | None:
        """Where it is on this machine, or None for a bucket."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    def _store(self) -> Any:
        if self.path is not None:
            return LocalStore(str(self.path)) if self.path.is_dir() else None
        config, client = _split(self.options)
        return from_url(self.url, config=cast("Any", config), client_options=cast("Any", client))

    def entries(self) -> Iterator[Entry]:
        """All objects below, at any depth, sorted by name."""
        store = self._store()
        if store is None:
            return
        metas = [meta for batch in obstore.list(store) for meta in batch]
        yield from (_entry(meta) for meta in sorted(metas, key=lambda m: m["path"]))

    def entry(self, name: str) -> Entry | None:
        """One object, or None when there is none of this name."""
        store = self._store()
        try:
            return _entry(obstore.head(store, name)) if store is not None else None
        except FileNotFoundError:
            return None

    def folders(self) -> list[str]:
        """Names of the folders directly below."""
        store = self._store()
        if store is None:
            return []
        found = obstore.list_with_delimiter(store)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def exists(self, name: str) -> bool:
        return self.entry(name) is not None

    def read(self, name: str) -> bytes:
        """The whole object; raises FileNotFoundError."""
        store = self._store()
        if store is None:
            raise FileNotFoundError(name)
        return bytes(obstore.get(store, name).bytes())

    def write(self, name: str, data: bytes) -> None:
        """Put the whole object, at once or not at all; once this returned it outlasts a power cut."""
        if self.path is not None:
            _make(self.path)
        obstore.put(self._store(), name, data)
        if self.path is not None:
            settled(self.path / name)

    def open_output(self, name: str) -> IO[bytes]:
        """A file to write front to back; its content counts once it is closed."""
        if self.path is not None:
            target = self.path / name
            _make(target.parent)
            return target.open("wb")
        return cast("IO[bytes]", _RemoteOutput(obstore.open_writer(self._store(), name)))

    def open_input(self, name: str) -> IO[bytes]:
        """A seekable file; raises FileNotFoundError."""
        if self.path is not None:
            return (self.path / name).open("rb")
        return open_remote(self._store(), name)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, present or not, and local folders that become empty by it."""
        wanted = list(names)
        if self.path is None:
            if wanted:
                obstore.delete(self._store(), wanted)
            return
        for name in wanted:
            (self.path / name).unlink(missing_ok=True)
            _prune(self.path / name, self.path)

    def tidy_above(self) -> None:
        """Where folders are things: remove the one above if it is empty."""
        if self.path is not None:
            _remove_empty(self.path.parent)

    def tidy(self) -> None:
        """Where folders are things: remove the empty ones below, and this one if it is empty."""
        if self.path is None or not self.path.is_dir():
            return
        for folder, _, _ in os.walk(self.path, topdown=False):
            _remove_empty(Path(folder))

    def rename(self, old: str, new: str) -> None:
        """Move an object below the folder; a repeat after it happened does nothing."""
        store = self._store()
        try:
            obstore.rename(store, old, new)
        except FileNotFoundError:
            if not self.exists(new):
                raise


_CLIENT = {
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "timeout",
    "proxy_url",
    "proxy_ca_certificate",
}
"""Options of the connection and not of the bucket; Delta takes all in one mapping, this client takes them apart."""


def _split(options: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    config: dict[str, str] = {}
    client: dict[str, Any] = {}
    for name, value in options.items():
        plain = name.lower().removeprefix("aws_")
        if plain in _CLIENT:
            client[plain] = value.lower() == "true" if plain.startswith("allow") else value
        else:
            config[name.lower()] = value
    return config, client


def _entry(meta: Any) -> Entry:
    mark = meta.get("e_tag") or meta["last_modified"].isoformat()
    modified = int(meta["last_modified"].timestamp() * 1_000_000)
    return Entry(meta["path"], meta["size"], f"{meta['size']}:{mark}", modified)


def _make(folder: Path) -> None:
    """The folder and those above it, so that they outlast a power cut."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def settled(path: Path) -> None:
    """Return when the local file at `path`, and its name, would outlast a power cut."""
    _sync(path)
    _sync(path.parent)


def flushed(file: IO[bytes], folder: Folder, name: str) -> None:
    """The same for a file of `folder` that is still open for writing; nothing for a bucket, which says it by itself."""
    if folder.path is not None:
        file.flush()
        os.fsync(file.fileno())
        _sync((folder.path / name).parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prune(path: Path, top: Path) -> None:
    for parent in path.parents:
        if parent == top or not _remove_empty(parent):
            return


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def open_remote(store: Any, name: str) -> IO[bytes]:
    """A seekable, buffered file over ranged requests; raises FileNotFoundError."""
    size = obstore.head(store, name)["size"]
    return cast("IO[bytes]", io.BufferedReader(_RemoteFile(store, name, size), 1 << 20))


class _RemoteFile(io.RawIOBase):
    def __init__(self, store: Any, name: str, size: int) -> None:
        self._store, self._name, self._size, self._at = store, name, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        data = obstore.get_range(self._store, self._name, start=self._at, length=length)
        buffer[:length] = memoryview(data)
        self._at += length
        return length


class _RemoteOutput(io.RawIOBase):
    """What is written goes out in parts as it comes; the object is there once this is closed."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._at = inner, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._inner.write(bytes(data))
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()
