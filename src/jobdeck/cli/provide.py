"""Local files as files of the project: what it has already, by its checksum, is not uploaded again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from jobdeck.cli.exits import UsageError
from jobdeck.cli.show import text
from jobdeck.cli.upload import upload_all

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.objects import File

TRIAL = "dry-run"
"""The tag of files that are only there for a dry run: nothing else uses them."""
SOON = timedelta(days=1)
"""A file that expires earlier is uploaded again: its job may have to wait."""


@dataclass(slots=True)
class Provided:
    """The project's files for local ones, in their order; those that were uploaded for it are also in `fresh`."""

    client: Client
    project: str
    files: list[File]
    fresh: list[File] = field(default_factory=list)

    @contextmanager
    def removed_again(self, *, when_refused: bool) -> Iterator[None]:
        """Delete what was uploaded, at the end of the block; or only if the server refuses what is asked in it."""
        from jobdeck.client import ApiError, ServerFailed

        try:
            yield
        except ApiError as error:
            if when_refused and not isinstance(error, ServerFailed):  # else it may have been accepted
                self.remove()
            raise
        finally:
            if not when_refused:
                self.remove()

    def remove(self) -> None:
        """Delete what was uploaded for it."""
        while self.fresh:
            self.client.files.delete(self.fresh.pop().id, project=self.project)


def provided(client: Client, paths: Sequence[Path], project: str, out: TextIO, *, tags: Sequence[str] = ()) -> Provided:
    """Upload what the project has not; tells on `out`. Raises UsageError for a file that cannot be read."""
    from jobdeck.client import ClientError

    found: dict[tuple[str, str], File] = {}
    wanted = [(_sha256(path), _endings(path.name)) for path in paths]
    missing: dict[tuple[str, str], Path] = {}
    for path, what in zip(paths, wanted, strict=True):
        known = found.get(what) or _known(client, *what, project)
        if known is None:
            missing.setdefault(what, path)
        else:
            if what not in found:
                print(f"{text.line(path.name)} is here already as file:{known.id}; it is not uploaded again", file=out)
            found[what] = known
    kept = Provided(client, project, [])
    try:
        upload_all(client, list(missing.values()), project, out, tags=tags, made=kept.fresh)
    except BaseException:  # one was refused or cannot be read, or Ctrl-C: nothing is left of the others
        with suppress(ClientError):
            kept.remove()
        raise
    found |= dict(zip(missing, kept.fresh, strict=True))
    kept.files = [found[what] for what in wanted]
    return kept


def _known(client: Client, sha256: str, endings: str, project: str) -> File | None:
    """A file of the project with this content, whose name says the same of its format."""
    for file in client.files.find(sha256, project=project):
        soon = file.expires_at is not None and file.expires_at < datetime.now(UTC) + SOON
        if file.sha256 == sha256 and _endings(file.name) == endings and not soon and TRIAL not in file.tags:
            return file
    return None


def _endings(name: str) -> str:
    return "".join(Path(name).suffixes).lower()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"'{text.line(path)}' cannot be read: {error.strerror or error}.") from error
