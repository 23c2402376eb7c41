"""The server's side of the installation's object storage: uploads, downloads, logs, deletes, off its loop."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from jobdeck.core.errors import JobdeckError
from jobdeck.storage import options as storage_options
from jobdeck.storage import stores
from jobdeck.storage.errors import OBJECT_STORAGE, explained

CHUNK = 1024 * 1024
PART = 16 * CHUNK
"""Bytes of one part of an upload to a bucket: S3 takes none below 5 MiB, and 10,000 of them."""
AT_ONCE = 1000
"""Objects that are deleted with one request, as S3 allows."""
_FIRST_LOOK = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored object: its path below the root and its size in bytes."""

    path: str
    size: int


class Blobs:
    """Paths are segments joined with `/`, each already fit for a path (`places.segment`)."""

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        """Raises InvalidStorageOption."""
        self.url = url.rstrip("/")
        self._options = dict(options or {})
        stores.check_url(self.url)
        self._local = stores.folder_of(self.url)
        self._conditional = True
        if self._local is not None:
            self._local.mkdir(parents=True, exist_ok=True)
        else:
            made = storage_options.parse(self._options)
            self._conditional = made.bucket.get("conditional_put", "etag") != "disabled"
        self._store = stores.own(self.url, self._options)

    async def check(self) -> None:
        """Whether a bucket is there and can be written to, without much patience; a local folder is.

        Raises StorageUnavailable, StorageRefused, BucketMissing, InvalidStorageOption."""
        if self._local is not None:
            return
        first = stores.own(self.url, self._options, **_FIRST_LOOK)
        key = first.key(f"checks/{uuid.uuid4().hex}")
        try:
            with first.told():
                await obstore.put_async(first.inner, key, b"", use_multipart=False)
                await obstore.list(first.inner, key).collect_async()
                await obstore.delete_async(first.inner, key)
        except JobdeckError as error:
            error.field = error.field or "storage_url"
            raise

    async def put(self, path: str, content: bytes | AsyncIterator[bytes]) -> None:
        """Store `content` under `path`, whole or not at all; what the iterator raises comes out again."""
        try:
            with self._store.told():
                await obstore.put_async(
                    self._store.inner,
                    self._store.key(path),
                    content,
                    chunk_size=4 * CHUNK if self._local is not None else PART,
                    max_concurrency=2,
                )
        except OSError as error:
            raise explained(str(error), OBJECT_STORAGE, self._store.bucket) from None

    async def put_new(self, path: str, content: bytes) -> bytes:
        """Store `content` where nothing is; what is there now. Of two processes at one moment, one does."""
        mode: Any = "create" if self._conditional else "overwrite"
        with self._store.told():
            try:
                await obstore.put_async(
                    self._store.inner, self._store.key(path), content, mode=mode, use_multipart=False
                )
            except (FileExistsError, AlreadyExistsError, PreconditionError):
                return await self.get(path)
        return content

    async def is_empty(self, prefix: str) -> bool:
        """Whether nothing lies below `prefix`; looks at the first object alone."""
        if self._local is not None and not (self._local / prefix).is_dir():
            return True
        with self._store.told():
            async for batch in obstore.list(self._store.inner, self._store.key(prefix), chunk_size=1):
                return not batch
        return True

    async def get(self, path: str) -> bytes:
        """The whole content; raises FileNotFoundError."""
        with self._store.told():
            return bytes(await (await obstore.get_async(self._store.inner, self._store.key(path))).bytes_async())

    async def stream(self, path: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in pieces; raises FileNotFoundError before the first."""
        if end is not None and end <= start:
            return
        span: Any = {"range": (start, end)} if end is not None else {"range": {"offset": start}} if start else None
        with self._store.told():
            found = await obstore.get_async(self._store.inner, self._store.key(path), options=span)
            pieces = aiter(found.stream(min_chunk_size=CHUNK))
        while True:
            with self._store.told():
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    async def list(self, prefix: str) -> list[Blob]:
        """Everything below `prefix`, which ends at a segment's end, sorted by path."""
        found: list[Blob] = []
        with self._store.told():
            async for batch in obstore.list(self._store.inner, self._store.key(prefix)):
                found.extend(Blob(self._store.name(meta["path"]), meta["size"]) for meta in batch)
        return sorted(found, key=lambda blob: blob.path)

    async def delete(self, *paths: str) -> None:
        """Remove objects, whether they are there or not."""
        if self._local is None:
            for first in range(0, len(paths), AT_ONCE):
                keys = [self._store.key(path) for path in paths[first : first + AT_ONCE]]
                with self._store.told():
                    await obstore.delete_async(self._store.inner, keys)
            return
        for path in paths:
            try:
                with self._store.told():
                    await obstore.delete_async(self._store.inner, path)
            except FileNotFoundError:
                continue

    async def delete_prefix(self, prefix: str) -> None:
        """Remove everything below `prefix`."""
        await self.delete(*(blob.path for blob in await self.list(prefix)))
