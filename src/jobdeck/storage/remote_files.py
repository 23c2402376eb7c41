"""Objects of a bucket as Python files: seekable to read, front to back to write."""

from __future__ import annotations

import io
from typing import IO, Any, cast

import obstore

from jobdeck.storage.stores import Store

READ_AHEAD = 1 << 20


def open_input(store: Store, key: str) -> IO[bytes]:
    """A seekable, buffered file over ranged requests; raises FileNotFoundError."""
    with store.told():
        size = obstore.head(store.inner, key)["size"]
    return cast("IO[bytes]", io.BufferedReader(_Input(store, key, size), READ_AHEAD))


def open_output(store: Store, key: str) -> IO[bytes]:
    """What is written goes out in parts as it comes; the object is there once the file is closed."""
    with store.told():
        return cast("IO[bytes]", _RemoteOutput(store, obstore.open_writer(store.inner, key)))


class _Input(io.RawIOBase):
    def __init__(self, store: Store, key: str, size: int) -> None:
        self._store, self._key, self._size, self._at = store, key, size, 0

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
        with self._store.told():
            data = memoryview(obstore.get_range(self._store.inner, self._key, start=self._at, length=length))
        if len(data) > length:
            raise EOFError("The storage answered with more than was asked for.")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _RemoteOutput(io.RawIOBase):
    def __init__(self, store: Store, inner: Any) -> None:
        self._store, self._inner, self._at = store, inner, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        with self._store.told():
            self._inner.write(bytes(data))
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if self.closed:
            return
        try:
            with self._store.told():
                self._inner.close()
        finally:
            super().close()
