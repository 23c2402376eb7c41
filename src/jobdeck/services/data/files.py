"""Project files: upload, replace, list, show, download, delete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import InvalidInput, NotFound, TooLarge, Unavailable
from jobdeck.core.refs import shown, with_id
from jobdeck.core.values import MAX_TAG, MAX_TAGS
from jobdeck.services import cursors
from jobdeck.services.core import Core, OfCore
from jobdeck.services.data.in_use import require_unused
from jobdeck.services.data.media_types import media_type
from jobdeck.storage.places import file_path, file_prefix, version_prefix
from jobdeck.store import file_versions, files, garbage
from jobdeck.store.file_versions import StoredVersion as Version
from jobdeck.store.files import NewFile
from jobdeck.store.garbage import Doomed
from jobdeck.store.jobs import submissions
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.views import uses
from jobdeck.wire.base import Page, instant
from jobdeck.wire.objects import File, FileVersion

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


class Files(OfCore):
    """The use cases of files."""

    async def writable(self, caller: Caller, project_name: str) -> StoredProject:
        """The project that the caller may upload to; asked before the first byte is read."""
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
        caller.require(Permission.FILE_WRITE)
        return project

    async def upload(self, caller: Caller, project: StoredProject, upload: Upload, key: str | None = None) -> File:
        """Keep the content as it comes, at bounded memory; what goes wrong leaves nothing.

        The same `key` with the same file answers with the first one's."""
        check_name(upload.name)
        file_id, content_id = await self._core.database.transact(lambda tx: _reserve(tx, project, caller))
        path = file_path(project.name, file_id, upload.name)
        content = _Counted(upload.content, self._core.installation.max_upload)
        try:
            await self._core.blobs.put(path, content.__aiter__())
            check_tags(upload.tags)
            new = _new_file(file_id, project, caller, upload, content)
            (kept,) = await submissions.settle_races(
                self._core.database, lambda tx: _keep(tx, new, caller, key, content_id)
            )
        except BaseException:
            await self._core.garbage.collect([content_id])
            raise
        if kept != file_id:
            await self._core.garbage.collect([content_id])
        return await self.get(caller, project.name, kept)

    async def replace(
        self, caller: Caller, project: StoredProject, file_id: int, upload: Upload, key: str | None = None
    ) -> File:
        """Put other content in the file's place, under its id; what was there stays as an earlier version.

        The content that it has already makes no version. Raises NotFound."""
        check_name(upload.name)
        reserved = await self._core.database.transact(lambda tx: _reserve_version(tx, project, file_id))
        path = file_path(project.name, file_id, upload.name, reserved.version)
        content = _Counted(upload.content, self._core.installation.max_upload)
        try:
            await self._core.blobs.put(path, content.__aiter__())
            check_tags(upload.tags)
            new = _new_file(file_id, project, caller, upload, content)
            (kept, *garbage_ids) = await submissions.settle_races(
                self._core.database, lambda tx: _keep_version(tx, new, caller, key, reserved, project)
            )
        except BaseException:
            await self._core.garbage.collect([reserved.content_id])
            raise
        await self._core.garbage.collect(garbage_ids if kept == reserved.version else [reserved.content_id])
        return await self.get(caller, project.name, file_id)

    async def page(
        self, caller: Caller, project_name: str, cursor: str | None, limit: int, sha256: str | None = None
    ) -> Page[File]:
        """Files of a project, newest first; with `sha256` those whose present content has it."""
        caller.require(Permission.FILE_READ)
        before = cursors.number(cursor, "files")
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            found = await files.page(connection, project.id, before, limit + 1, sha256)
            ids = [f.id for f in found[:limit]]
            jobs, versions = await files.jobs_of(connection, ids), await file_versions.of(connection, ids)
        last = cursors.following("files", found, limit, lambda one: one.id)
        views = [_view(f, project, jobs.get(f.id, []), versions.get(f.id, [])) for f in found[:limit]]
        return Page[File](items=views, next=last)

    async def get(self, caller: Caller, project_name: str, file_id: int) -> File:
        """One file; raises NotFound."""
        caller.require(Permission.FILE_READ)
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            found = await files.get(connection, project.id, file_id)
            jobs, versions = await files.jobs_of(connection, [file_id]), await file_versions.of(connection, [file_id])
        if found is None:
            raise _missing(file_id, project)
        return _view(found, project, jobs.get(file_id, []), versions.get(file_id, []))

    async def names(self, caller: Caller, project_name: str, ids: Sequence[int]) -> dict[int, str]:
        """The names, as they are shown, of those of the files that are there, by id."""
        caller.require(Permission.FILE_READ)
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            found = await files.names(connection, project.id, ids)
        return {id_: shown(name) for id_, name in found.items()}

    async def download(self, caller: Caller, project_name: str, file_id: int, version: int | None = None) -> Download:
        """The file with its content, or with that of an earlier version; raises NotFound."""
        found = await self.get(caller, project_name, file_id)
        if version is not None and version != found.version:
            before = next((v for v in found.versions if v.version == version), None)
            if before is None:
                hint = f"There are {', '.join(str(v.version) for v in found.versions) or found.version}."
                raise NotFound(f"File {file_id} has no version {version}.", field="version", hint=hint)
            found = found.model_copy(update=before.model_dump(include={"version", "name", "bytes", "sha256"}))
        return Download(found, file_path(project_name, file_id, found.name, found.version), self._core)

    async def delete(self, caller: Caller, project_name: str, file_id: int, *, force: bool = False) -> None:
        """Remove row and content; raises NotFound, and InUse unless `force` while somebody names it."""
        project = await self.writable(caller, project_name)
        if not force:
            await self._require_unused(project, file_id)

        async def work(tx: Tx) -> list[int]:
            found = await files.get(tx.connection, project.id, file_id)
            if found is None or not await files.remove(tx, project.id, file_id):
                raise _missing(file_id, project)
            data = {"file": file_id, "name": found.name}
            tx.emit(NewEvent("file.deleted", project.id, None, caller.name, data))
            return await garbage.add(tx, [Doomed(file_prefix(project.name, file_id))])

        await self._core.garbage.collect(await self._core.database.transact(work))

    async def _require_unused(self, project: StoredProject, file_id: int) -> None:
        """Before the transaction, which holds up others: very many jobs may have to be looked at."""
        async with self._core.database.read() as connection:
            found = await files.get(connection, project.id, file_id)
            users = await uses.of_file(connection, project.id, file_id)
        if found is not None:
            require_unused(f"The file {with_id(shown(found.name), f'file:{file_id}')}", users, "id")


async def _reserve(tx: Tx, project: StoredProject, caller: Caller) -> tuple[int, int]:
    """An id for a file, and the id under which its content is garbage until its row is written."""
    file_id = await files.reserve_id(tx, project.id, caller.principal_id)
    (content_id,) = await garbage.add(tx, [Doomed(file_prefix(project.name, file_id))], wait=LONGEST_UPLOAD)
    return file_id, content_id


@dataclass(frozen=True, slots=True)
class _Reserved:
    """A place for a version of a file, and the id under which it is garbage until its row is written."""

    version: int
    content_id: int


async def _reserve_version(tx: Tx, project: StoredProject, file_id: int) -> _Reserved:
    version = await file_versions.reserve(tx, project.id, file_id)
    if version is None:
        raise _missing(file_id, project)
    prefix = version_prefix(project.name, file_id, version)
    (content_id,) = await garbage.add(tx, [Doomed(prefix)], wait=LONGEST_UPLOAD)
    return _Reserved(version, content_id)


async def _keep_version(
    tx: Tx, new: NewFile, caller: Caller, key: str | None, reserved: _Reserved, project: StoredProject
) -> list[int]:
    """Write the version's row; its number, or the one that has this content already, then ids of garbage to collect."""
    before = await files.get(tx.connection, project.id, new.id)
    if before is None:
        raise _missing(new.id, project)
    request_hash = _request_hash(new, "replace", new.id)
    if key is not None:
        earlier = await submissions.remembered(tx, caller.principal_id, key, request_hash)
        if earlier is not None:
            return [before.version]
        await submissions.remember(tx, caller.principal_id, key, request_hash, [new.id])
    if (before.sha256, before.name) == (new.sha256, new.name):
        return [before.version]
    if not await garbage.forget(tx, [reserved.content_id]):
        raise _too_late()
    await file_versions.add(tx, new, reserved.version)
    data = {"file": new.id, "name": new.name, "bytes": new.size, "sha256": new.sha256, "version": reserved.version}
    tx.emit(NewEvent("file.replaced", new.project_id, None, caller.name, data))
    gone = await file_versions.forget_oldest(tx, new.id)
    doomed = [Doomed(version_prefix(project.name, new.id, version)) for version in gone]
    return [reserved.version, *(await garbage.add(tx, doomed))]


async def _keep(tx: Tx, new: NewFile, caller: Caller, key: str | None, content_id: int) -> list[int]:
    """Write the row; the file's id, or that of the file which an earlier request with this key made."""
    request_hash = _request_hash(new)
    if key is not None:
        earlier = await submissions.remembered(tx, caller.principal_id, key, request_hash)
        if earlier is not None:
            return earlier
        await submissions.remember(tx, caller.principal_id, key, request_hash, [new.id])
    if not await garbage.forget(tx, [content_id]):
        raise _too_late()
    await files.create(tx, new)
    data: dict[str, Any] = {"file": new.id, "name": new.name, "bytes": new.size, "sha256": new.sha256}
    tx.emit(NewEvent("file.uploaded", new.project_id, None, caller.name, data))
    return [new.id]


def _too_late() -> Unavailable:
    return Unavailable("The upload took so long that its content was removed.", hint="Upload the file again.")


def _request_hash(new: NewFile, *about: str | int) -> str:
    text = json.dumps([*(about or ["file"]), new.project_id, new.name, new.sha256, new.tags, new.permanent])
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


def _missing(file_id: int, project: StoredProject) -> NotFound:
    hint = "It may have expired or been deleted, or be another project's."
    return NotFound(f"There is no file {file_id} in project '{project.name}'.", field="id", hint=hint)


def _new_file(file_id: int, project: StoredProject, caller: Caller, upload: Upload, content: _Counted) -> NewFile:
    """What came, now that all of it is stored."""
    return NewFile(
        file_id, project.id, upload.name, content.size, content.sha256, upload.content_type, upload.tags,
        caller.principal_id, upload.permanent,
    )  # fmt: skip


def _view(found: files.StoredFile, project: StoredProject, jobs: list[int], versions: Sequence[Version]) -> File:
    return File(
        id=found.id,
        project=project.name,
        name=found.name,
        bytes=found.size,
        sha256=found.sha256,
        content_type=media_type(found.name, found.content_type),
        tags=list(found.tags),
        permanent=found.expires_at is None,
        created_by=found.created_by,
        created_at=instant(found.created_at),
        expires_at=instant(found.expires_at) if found.expires_at is not None else None,
        jobs=jobs,
        version=found.version,
        versions=[
            FileVersion(
                version=v.version, name=v.name, bytes=v.size, sha256=v.sha256, created_by=v.created_by,
                created_at=instant(v.created_at),
            )
            for v in versions
        ],
    )  # fmt: skip
