"""Project files: upload, list, show, download, delete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.errors import InvalidInput, NotFound, TooLarge, Unavailable
from jobdeck.core.refs import shown, with_id
from jobdeck.core.values import MAX_TAG, MAX_TAGS
from jobdeck.services import cursors, scope
from jobdeck.services.core import Core
from jobdeck.services.data.in_use import require_unused
from jobdeck.storage.places import file_path, file_prefix
from jobdeck.store import files, garbage
from jobdeck.store.files import NewFile
from jobdeck.store.garbage import Doomed
from jobdeck.store.jobs import submissions
from jobdeck.store.projects import Project
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.views import uses
from jobdeck.wire.base import Page, instant
from jobdeck.wire.objects import File

MAX_NAME = 1000
LONGEST_UPLOAD = 7 * 24 * 3600 * 1_000_000
"""µs after which content that came without its row being written is taken for left behind."""


@dataclass(slots=True)
class Upload:
    """A file on its way in. `content` is read once; `tags` and `permanent` may be known only after it."""

    name: str
    content: AsyncIterator[bytes]
    content_type: str | None = None
    tags: tuple[str, ...] = ()
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way out: `bytes_between(start, end)` gives the bytes from `start` up to, not including, `end`."""

    file: File
    path: str
    core: Core

    def bytes_between(self, start: int, end: int) -> AsyncIterator[bytes]:
        return self.core.blobs.stream(self.path, start, end)


class _Counted:
    """Passes content on, and knows its size and SHA-256 at the end."""

    def __init__(self, content: AsyncIterator[bytes], most: int) -> None:
        self._content = content
        self._most = most
        self._hash = hashlib.sha256()
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._content:
            self.size += len(piece)
            if self.size > self._most:
                raise TooLarge(f"A file may have {self._most} bytes.", field="file")
            self._hash.update(piece)
            yield piece

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class Files:
    """The use cases of files."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def writable(self, caller: Caller, project_name: str) -> Project:
        """The project that the caller may upload to; asked before the first byte is read."""
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
        caller.require(Permission.FILE_WRITE)
        return project

    async def upload(self, caller: Caller, project: Project, upload: Upload, key: str | None = None) -> File:
        """Keep the content as it comes, at bounded memory; what goes wrong leaves nothing.

        The same `key` with the same file answers with the first one's."""
        check_name(upload.name)
        file_id, content_id = await self._core.database.transact(lambda tx: _reserve(tx, project, caller))
        path = file_path(project.name, file_id, upload.name)
        content = _Counted(upload.content, self._core.installation.max_upload)
        try:
            await self._core.blobs.put(path, content.__aiter__())
            check_tags(upload.tags)
            new = NewFile(
                file_id, project.id, upload.name, content.size, content.sha256, upload.content_type, upload.tags,
                caller.principal_id, upload.permanent,
            )  # fmt: skip
            (kept,) = await submissions.settle_races(
                self._core.database, lambda tx: _keep(tx, new, caller, key, content_id)
            )
        except BaseException:
            await self._core.garbage.collect([content_id])
            raise
        if kept != file_id:
            await self._core.garbage.collect([content_id])
        return await self.get(caller, project.name, kept)

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[File]:
        """Files of a project, newest first."""
        caller.require(Permission.FILE_READ)
        before = cursors.number(cursor, "files")
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
            found = await files.page(connection, project.id, before, limit + 1)
            jobs = await files.jobs_of(connection, [f.id for f in found[:limit]])
        last = cursors.encode("files", found[limit - 1].id) if len(found) > limit else None
        return Page[File](items=[_view(f, project, jobs.get(f.id, [])) for f in found[:limit]], next=last)

    async def get(self, caller: Caller, project_name: str, file_id: int) -> File:
        """One file; raises NotFound."""
        caller.require(Permission.FILE_READ)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
            found = await files.get(connection, project.id, file_id)
            jobs = await files.jobs_of(connection, [file_id])
        if found is None:
            raise _missing(file_id)
        return _view(found, project, jobs.get(file_id, []))

    async def names(self, caller: Caller, project_name: str, ids: Sequence[int]) -> dict[int, str]:
        """The names, as they are shown, of those of the files that are there, by id."""
        caller.require(Permission.FILE_READ)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
            found = await files.names(connection, project.id, ids)
        return {id_: shown(name) for id_, name in found.items()}

    async def download(self, caller: Caller, project_name: str, file_id: int) -> Download:
        """The file with its content; raises NotFound."""
        found = await self.get(caller, project_name, file_id)
        return Download(found, file_path(project_name, file_id, found.name), self._core)

    async def delete(self, caller: Caller, project_name: str, file_id: int, *, force: bool = False) -> None:
        """Remove row and content; raises NotFound, and InUse unless `force` while somebody names it."""
        project = await self.writable(caller, project_name)
        if not force:
            await self._require_unused(project, file_id)

        async def work(tx: Tx) -> list[int]:
            found = await files.get(tx.connection, project.id, file_id)
            if found is None or not await files.remove(tx, project.id, file_id):
                raise _missing(file_id)
            data = {"file": file_id, "name": found.name}
            tx.emit(NewEvent("file.deleted", project.id, None, caller.name, data))
            return await garbage.add(tx, [Doomed(file_prefix(project.name, file_id))])

        await self._core.garbage.collect(await self._core.database.transact(work))

    async def _require_unused(self, project: Project, file_id: int) -> None:
        """Before the transaction, which holds up others: very many jobs may have to be looked at."""
        async with self._core.database.read() as connection:
            found = await files.get(connection, project.id, file_id)
            users = await uses.of_file(connection, project.id, file_id)
        if found is not None:
            require_unused(f"The file {with_id(shown(found.name), f'file:{file_id}')}", users, "id")


async def _reserve(tx: Tx, project: Project, caller: Caller) -> tuple[int, int]:
    """An id for a file, and the id under which its content is garbage until its row is written."""
    file_id = await files.reserve_id(tx, project.id, caller.principal_id)
    (content_id,) = await garbage.add(tx, [Doomed(file_prefix(project.name, file_id))], wait=LONGEST_UPLOAD)
    return file_id, content_id


async def _keep(tx: Tx, new: NewFile, caller: Caller, key: str | None, content_id: int) -> list[int]:
    """Write the row; the file's id, or that of the file which an earlier request with this key made."""
    request_hash = _request_hash(new)
    if key is not None:
        earlier = await submissions.remembered(tx, caller.principal_id, key, request_hash)
        if earlier is not None:
            return earlier
        await submissions.remember(tx, caller.principal_id, key, request_hash, [new.id])
    if not await garbage.forget(tx, [content_id]):
        raise Unavailable("The upload took so long that its content was removed.", hint="Upload the file again.")
    await files.create(tx, new)
    data: dict[str, Any] = {"file": new.id, "name": new.name, "bytes": new.size, "sha256": new.sha256}
    tx.emit(NewEvent("file.uploaded", new.project_id, None, caller.name, data))
    return [new.id]


def _request_hash(new: NewFile) -> str:
    text = json.dumps(["file", new.project_id, new.name, new.sha256, new.tags, new.permanent])
    return hashlib.sha256(text.encode()).hexdigest()


def check_name(name: str) -> None:
    """Raises InvalidInput for a file name that cannot be kept."""
    if not name or len(name) > MAX_NAME or "\0" in name or not _is_unicode(name):
        raise InvalidInput(f"A file name has 1 to {MAX_NAME} characters, valid Unicode without NUL.", field="file")


def check_tags(tags: tuple[str, ...]) -> None:
    """Raises InvalidInput for tags that cannot be kept."""
    if len(tags) > MAX_TAGS or any(not t or len(t) > MAX_TAG or "\0" in t or not _is_unicode(t) for t in tags):
        raise InvalidInput(f"Up to {MAX_TAGS} tags of 1 to {MAX_TAG} characters are allowed.", field="tags")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _missing(file_id: int) -> NotFound:
    return NotFound(
        f"There is no file {file_id} in this project.", field="id", hint="It may have expired or been deleted."
    )


def _view(found: files.File, project: Project, jobs: list[int]) -> File:
    return File(
        id=found.id,
        project=project.name,
        name=found.name,
        bytes=found.size,
        sha256=found.sha256,
        content_type=found.content_type,
        tags=list(found.tags),
        permanent=found.expires_at is None,
        created_by=found.created_by,
        created_at=instant(found.created_at),
        expires_at=instant(found.expires_at) if found.expires_at is not None else None,
        jobs=jobs,
    )
