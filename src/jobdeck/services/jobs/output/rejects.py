"""Rows that a job did not take: the files they were put into, rows of one, all of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from jobdeck.access.caller import Caller, Permission
from jobdeck.core.errors import NotFound
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs, no_such_job
from jobdeck.storage.blobs import Blob
from jobdeck.storage.places import attempt_prefix
from jobdeck.store.views import job_views
from jobdeck.wire.base import Page
from jobdeck.wire.rejects import RejectedRow, RejectFile

ENDING = ".jsonl"
SUMMARY = ".summary.json"
MAX_FILES = 100
"""Files of one page, at most: each has a summary to be read."""
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of rejected rows that one answer is made of, about."""


@dataclass(frozen=True, slots=True)
class RejectContent:
    """A file of rejected rows on its way out, or several, one after the other."""

    name: str
    size: int
    pieces: AsyncIterator[bytes]


class JobRejects:
    """The use cases of rejected rows. Whoever may see rows of objects may see them."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def page(
        self, caller: Caller, job_id: int, attempt: int | None = None, cursor: str | None = None, limit: int = MAX_FILES
    ) -> Page[RejectFile]:
        """The files of an attempt (default: the present one), in the order of its tasks."""
        start = str(cursors.decode(cursor, "rejects", str)[0]) if cursor else ""
        chosen, found = await self._files(caller, job_id, attempt)
        behind = [blob for blob in found if _name(blob) > start]
        shown = behind[: min(limit, MAX_FILES)]
        last = cursors.encode("rejects", _name(shown[-1])) if len(behind) > len(shown) else None
        return Page[RejectFile](items=[await self._view(blob, chosen) for blob in shown], next=last)

    async def rows(
        self,
        caller: Caller,
        job_id: int,
        name: str,
        attempt: int | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[RejectedRow]:
        """Rows of one of the files, in its order; raises NotFound."""
        start = cursors.number(cursor, "rejected-rows") or 0
        _, blob = await self._file(caller, job_id, name, attempt)
        rows: list[RejectedRow] = []
        rest, at = b"", max(0, start)
        async for piece in self._core.blobs.stream(blob.path, at, blob.size):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines[: limit - len(rows)]:
                rows.append(RejectedRow.model_validate(json.loads(line)))
                at += len(line) + 1
            if len(rows) >= limit or at - start >= MAX_BYTES:
                break
        return Page[RejectedRow](items=rows, next=cursors.encode("rejected-rows", at) if at < blob.size else None)

    async def content(self, caller: Caller, job_id: int, name: str, attempt: int | None = None) -> RejectContent:
        """One of the files, whole; raises NotFound."""
        chosen, blob = await self._file(caller, job_id, name, attempt)
        pieces = self._core.blobs.stream(blob.path, 0, blob.size)
        return RejectContent(f"job-{job_id}-{chosen}-{name}{ENDING}", blob.size, pieces)

    async def everything(self, caller: Caller, job_id: int, attempt: int | None = None) -> RejectContent:
        """All of the files, one after the other."""
        chosen, found = await self._files(caller, job_id, attempt)

        async def pieces() -> AsyncIterator[bytes]:
            for blob in found:
                async for piece in self._core.blobs.stream(blob.path, 0, blob.size):
                    yield piece

        return RejectContent(f"job-{job_id}-{chosen}-rejects{ENDING}", sum(blob.size for blob in found), pieces())

    async def _file(self, caller: Caller, job_id: int, name: str, attempt: int | None) -> tuple[int, Blob]:
        chosen, found = await self._files(caller, job_id, attempt)
        for blob in found:
            if _name(blob) == name:
                return chosen, blob
        raise NotFound(
            f"Attempt {chosen} of job {job_id} has no reject file '{name[:100]}'.",
            field="name",
            hint=f"GET /api/v1/jobs/{job_id}/rejects lists those there are.",
        )

    async def _files(self, caller: Caller, job_id: int, attempt: int | None) -> tuple[int, list[Blob]]:
        await self._jobs.require_visible(caller, job_id)
        caller.require(Permission.OBJECT_READ)
        async with self._core.database.read() as connection:
            row = await job_views.get(connection, job_id)
        if row is None:
            raise no_such_job(job_id)
        chosen = int(row["attempt"]) if attempt is None else attempt
        folder = attempt_prefix(row["project"], "rejects", job_id, int(chosen))
        return chosen, [blob for blob in await self._core.blobs.list(folder) if blob.path.endswith(ENDING)]

    async def _view(self, blob: Blob, attempt: int) -> RejectFile:
        facts = {"name": _name(blob), "attempt": attempt, "bytes": blob.size}
        try:
            summary = json.loads(await self._core.blobs.get(blob.path.removesuffix(ENDING) + SUMMARY))
        except FileNotFoundError:  # of an earlier version
            summary = {}
        return RejectFile.model_validate({**summary, **facts})


def _name(blob: Blob) -> str:
    return blob.path.rpartition("/")[2].removesuffix(ENDING)
