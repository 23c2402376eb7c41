"""Project files: upload, list, download, delete."""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from jobdeck.client.errors import UnexpectedAnswer
from jobdeck.client.http.resource import DEFAULT_PROJECT, MAX_PAGE, Resource
from jobdeck.client.http.transport import path_part
from jobdeck.client.http.whole import write_whole
from jobdeck.wire.base import Page
from jobdeck.wire.objects import File

CHUNK = 1024 * 1024


class Files(Resource):
    """`client.files`. Jobs name a file `file:<id>`."""

    def upload(
        self,
        source: str | Path | BinaryIO,
        *,
        project: str = DEFAULT_PROJECT,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        permanent: bool = False,
    ) -> File:
        """Keep the bytes of `source` (a path, or an open binary file that can seek) as a file of the project."""
        fields = {"tags": builtins.list(tags or ()), **({"permanent": "true"} if permanent else {})}
        path = f"/projects/{path_part(project)}/files"
        if isinstance(source, str | Path):
            with Path(source).open("rb") as opened:
                return self._transport.upload(File, path, name or Path(source).name, opened, fields)
        return self._transport.upload(File, path, name or _name_of(source), source, fields)

    def list(self, *, project: str = DEFAULT_PROJECT) -> Iterator[File]:
        return self._every(Page[File], f"/projects/{path_part(project)}/files", {"limit": MAX_PAGE})

    def page(self, *, project: str = DEFAULT_PROJECT, limit: int = 100, cursor: str | None = None) -> Page[File]:
        params = {"limit": limit, "cursor": cursor}
        return self._transport.get(Page[File], f"/projects/{path_part(project)}/files", params)

    def get(self, id: int, *, project: str = DEFAULT_PROJECT) -> File:
        return self._transport.get(File, _path(project, id))

    def read(self, id: int, *, project: str = DEFAULT_PROJECT) -> Iterator[bytes]:
        """The content in pieces, checked against the file's SHA-256 at the end; raises UnexpectedAnswer if damaged."""
        expected = self.get(id, project=project).sha256
        digest = hashlib.sha256()
        with self._transport.stream(f"{_path(project, id)}/content") as response:
            for chunk in response.iter_bytes(CHUNK):
                digest.update(chunk)
                yield chunk
        if expected and digest.hexdigest() != expected.lower():
            raise UnexpectedAnswer(f"The content of file {id} arrived damaged.", hint="Download it again.")

    def download(self, id: int, to: str | Path, *, project: str = DEFAULT_PROJECT) -> Path:
        """Write the file to the path `to`, which appears whole or not at all."""
        return write_whole(Path(to), self.read(id, project=project))

    def delete(self, id: int, *, project: str = DEFAULT_PROJECT) -> None:
        self._transport.write("DELETE", _path(project, id))


def _path(project: str, id: int) -> str:
    return f"/projects/{path_part(project)}/files/{id}"


def _name_of(source: BinaryIO) -> str:
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) else "upload"
