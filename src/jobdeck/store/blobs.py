"""The installation's object storage: a local folder (`file:///…`) or a bucket (`s3://…`), for files and logs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from jobdeck.core.errors import Unavailable

CHUNK = 1024 * 1024
MAX_SEGMENT = 200
"""Bytes that the last segment of a path has at most; file systems allow 255."""

_ENDINGS = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored object: its path below the root and its size in bytes."""

    path: str
    size: int


class Blobs:
    """Paths are segments joined with `/`, each already fit for a path (`segment`)."""

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self._store = _open(self.url, options or {})

    async def put(self, path: str, content: bytes | AsyncIterator[bytes]) -> None:
        """Store `content` under `path`, whole or not at all; what the iterator raises comes out again."""
        try:
            await obstore.put_async(self._store, path, content, chunk_size=4 * CHUNK, max_concurrency=2)
        except (BaseError, OSError) as error:
            raise _unavailable(error) from error

    async def get(self, path: str) -> bytes:
        """The whole content; raises FileNotFoundError."""
        try:
            return bytes(await (await obstore.get_async(self._store, path)).bytes_async())
        except BaseError as error:
            raise _unavailable(error) from error

    async def stream(self, path: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in pieces; raises FileNotFoundError before the first."""
        if end is not None and end <= start:
            return
        span: Any = {"range": (start, end)} if end is not None else {"range": {"offset": start}} if start else None
        try:
            found = await obstore.get_async(self._store, path, options=span)
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)
        except BaseError as error:
            raise _unavailable(error) from error

    async def list(self, prefix: str) -> list[Blob]:
        """Everything below `prefix`, which ends at a segment's end, sorted by path."""
        found: list[Blob] = []
        try:
            async for batch in obstore.list(self._store, prefix):
                found.extend(Blob(meta["path"], meta["size"]) for meta in batch)
        except BaseError as error:
            raise _unavailable(error) from error
        return sorted(found, key=lambda blob: blob.path)

    async def delete(self, *paths: str) -> None:
        """Remove objects, whether they are there or not."""
        for path in paths:
            try:
                await obstore.delete_async(self._store, path)
            except FileNotFoundError:
                continue
            except BaseError as error:
                raise _unavailable(error) from error

    async def delete_prefix(self, prefix: str) -> None:
        """Remove everything below `prefix`."""
        await self.delete(*(blob.path for blob in await self.list(prefix)))


def segment(name: str) -> str:
    """`name` as one segment of a path: percent-encoded, and shortened to what file systems take.

    Its endings are kept, because formats are told by them."""
    encoded = quote(name, safe="")
    if not encoded.strip("."):
        return encoded.replace(".", "%2E") or "%00"
    if len(encoded) <= MAX_SEGMENT:
        return encoded
    endings = _ENDINGS.search(name)
    ending = quote(endings[0], safe="") if endings else ""
    kept = ""
    for character in name:
        kept, shorter = kept + quote(character, safe=""), kept
        if len(kept) + len(ending) > MAX_SEGMENT:
            return shorter + ending
    return kept


def file_path(project: str, file_id: int, name: str) -> str:
    """Where the content of a project file is: `projects/<project>/files/<id>/<name>`."""
    return f"{file_prefix(project, file_id)}/{segment(name)}"


def file_prefix(project: str, file_id: int) -> str:
    """The folder of a project file; it holds one object."""
    return f"projects/{segment(project)}/files/{file_id}"


def _open(url: str, options: Mapping[str, str]) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        folder.mkdir(parents=True, exist_ok=True)
        return LocalStore(folder, automatic_cleanup=True)
    return from_url(url, config=cast("Any", dict(options)))


def _unavailable(error: Exception) -> Unavailable:
    text = str(error).partition("\n")[0]
    return Unavailable(f"The object storage does not answer: {text}", hint="Look at its disk space and address.")
