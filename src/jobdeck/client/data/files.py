"""Project files: upload, replace, list, download, delete."""

from __future__ import annotations

import builtins
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, TypedDict, Unpack

from jobdeck.client.errors import UnexpectedAnswer
from jobdeck.client.http.resource import MAX_PAGE, Resource, forced, of_project
from jobdeck.client.http.whole import write_whole
from jobdeck.wire.base import Page
from jobdeck.wire.objects import File

CHUNK = 1024 * 1024


Source = str | Path | bytes | BinaryIO


class KeptFile(TypedDict, total=False):
    """What can be said of a file beside its content; None means not said."""

    name: str | None
    tags: Sequence[str] | None
    permanent: bool
    """It is not removed when no job has named it for long."""


class FilesResource(Resource):
    """`client.files`. Jobs name a file `file:<id>`."""

    def upload(self, source: Source, *, project: str | None = None, **kept: Unpack[KeptFile]) -> File:
        """Keep the bytes of `source` (a path, bytes, or an open binary file) as a file of the project.

        What cannot seek, such as a pipe, is kept in a temporary file first: a broken connection begins anew."""
        return self._send("POST", f"{of_project(project)}/files", source, kept)

    def replace(self, id: int, source: Source, *, project: str | None = None, **kept: Unpack[KeptFile]) -> File:
        """Put the bytes of `source` in the place of the file's content, under its id: jobs that look at `file:<id>`
        from now on find these. What was there stays as an earlier version."""
        return self._send("PUT", _path(project, id), source, kept)

    def find(self, sha256: str, *, project: str | None = None) -> builtins.list[File]:
        """The files whose content has this SHA-256, newest first; up to 500."""
        params = {"limit": MAX_PAGE, "sha256": sha256}
        return self._transport.get(Page[File], f"{of_project(project)}/files", params).items

    def _send(self, method: str, path: str, source: Source, kept: KeptFile) -> File:
        if isinstance(source, str | Path):
            with Path(source).open("rb") as opened:
                return self._send(method, path, opened, {**kept, "name": kept.get("name") or Path(source).name})
        if isinstance(source, bytes):
            return self._send(method, path, BytesIO(source), kept)
        told = kept.get("name") or _name_of(source)
        if not source.seekable():
            with TemporaryFile() as whole:
                shutil.copyfileobj(source, whole, CHUNK)
                return self._send(method, path, whole, {**kept, "name": told})
        told = _sendable(told)
        fields: dict[str, str | builtins.list[str]] = {"tags": builtins.list(kept.get("tags") or ())}
        if kept.get("permanent"):
            fields["permanent"] = "true"
        if "%" in told:  # in a form's own name of a file, %22 is a quote
            fields["name"] = told
        return self._transport.upload(File, path, told, source, fields, method=method)

    def list(self, *, project: str | None = None, cursor: str | None = None) -> Iterator[File]:
        """All of them; with `cursor`, those behind a page's `next`."""
        params = {"limit": MAX_PAGE, "cursor": cursor}
        return self._every(Page[File], f"{of_project(project)}/files", params)

    def page(self, *, project: str | None = None, limit: int = 100, cursor: str | None = None) -> Page[File]:
        params = {"limit": limit, "cursor": cursor}
        return self._transport.get(Page[File], f"{of_project(project)}/files", params)

    def get(self, id: int, *, project: str | None = None) -> File:
        return self._transport.get(File, _path(project, id))

    def read(self, id: int, *, project: str | None = None, version: int | None = None) -> Iterator[bytes]:
        """The content, or that of an earlier version, in pieces, checked against its SHA-256 at the end; raises
        UnexpectedAnswer if it is damaged."""
        found = self.get(id, project=project)
        chosen = found.version if version is None else version
        expected = next((v.sha256 for v in found.versions if v.version == chosen), found.sha256)
        digest = hashlib.sha256()
        asked = {"version": None if chosen == 1 and version is None else chosen}
        with self._transport.stream(f"{_path(project, id)}/content", asked) as response:
            for chunk in response.iter_bytes(CHUNK):
                digest.update(chunk)
                yield chunk
        if expected and digest.hexdigest() != expected.lower():
            raise UnexpectedAnswer(f"The content of file {id} arrived damaged.", hint="Download it again.")

    def download(self, id: int, to: str | Path, *, project: str | None = None, version: int | None = None) -> Path:
        """Write the file, or an earlier version of it, to the path `to`, which appears whole or not at all."""
        return write_whole(Path(to), self.read(id, project=project, version=version))

    def delete(self, id: int, *, project: str | None = None, force: bool = False) -> None:
        """With `force` also while jobs that have not ended, or configurations, name it; those jobs then fail."""
        self._transport.write("DELETE", forced(_path(project, id), force))


def _path(project: str | None, id: int) -> str:
    return f"{of_project(project)}/files/{id}"


def _sendable(name: str) -> str:
    """The name of a file here, whose bytes may be no UTF-8, as text that can be sent."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _name_of(source: BinaryIO) -> str:
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) else "upload"
