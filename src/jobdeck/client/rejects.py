"""Rows that jobs did not take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jobdeck.client.http.resource import MAX_PAGE, Resource
from jobdeck.client.http.transport import path_part
from jobdeck.client.http.whole import write_whole
from jobdeck.wire.base import Page
from jobdeck.wire.rejects import RejectedRow, RejectFile


class RejectsResource(Resource):
    """`client.rejects`. `attempt` is the present one where it is left out."""

    def list(self, job: int, *, attempt: int | None = None) -> Iterator[RejectFile]:
        """The job's reject files, in the order of its tasks."""
        return self._every(Page[RejectFile], f"/jobs/{job}/rejects", {"attempt": attempt, "limit": MAX_PAGE})

    def rows(self, job: int, name: str, *, attempt: int | None = None) -> Iterator[RejectedRow]:
        """The rows of one of them, each with the reason."""
        path = f"/jobs/{job}/rejects/{path_part(name)}/rows"
        return self._every(Page[RejectedRow], path, {"attempt": attempt, "limit": MAX_PAGE})

    def read(self, job: int, name: str | None = None, *, attempt: int | None = None) -> Iterator[bytes]:
        """One of them as JSON Lines, in pieces; without a name all of them, one after the other."""
        inner = f"/{path_part(name)}" if name is not None else ""
        with self._transport.stream(f"/jobs/{job}/rejects{inner}/content", {"attempt": attempt}) as response:
            yield from response.iter_bytes()

    def download(self, job: int, to: str | Path, name: str | None = None, *, attempt: int | None = None) -> Path:
        """Write one of them, or all, to the path `to`, which appears whole or not at all."""
        return write_whole(Path(to), self.read(job, name, attempt=attempt))
