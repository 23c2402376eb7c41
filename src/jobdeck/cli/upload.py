"""Uploads local files, with a bar per file on a terminal; what the project has already need not be uploaded again."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from jobdeck.cli.exits import UsageError
from jobdeck.cli.show import text

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.objects import File

STREAMS = ("-", "/dev/stdin")
"""Names of standard input."""
TRIAL = "dry-run"
"""The tag of files that are only there for a dry run: nothing else uses them."""
SOON = timedelta(days=1)
"""A file that expires earlier is uploaded again: its job may have to wait."""


def require_readable(paths: Sequence[Path], name: str | None) -> None:
    """Raises UsageError for what is neither a file nor a stream here, and for a stream without a name."""
    if name is not None and len(paths) != 1:
        raise UsageError("--name is for one file.", "Upload the others by themselves.")
    for path in paths:
        if str(path) in STREAMS:
            if name is None:
                raise UsageError("What comes by standard input has no name.", "Give it one: --name orders.csv.")
        elif path.is_dir():
            raise UsageError(f"'{text.line(path)}' is a folder.", "Name the files in it.")
        elif not path.exists():
            raise UsageError(f"'{text.line(path)}' is not a file here.")


def upload_all(
    client: Client,
    paths: Sequence[Path],
    project: str,
    out: TextIO,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    permanent: bool = False,
    made: list[File] | None = None,
) -> list[File]:
    """The files made of `paths`, in order; progress goes to `out`. `made` takes them as they come, for whoever has to
    know those that were made when another one cannot be. Raises UsageError for one that cannot be read."""
    files = made if made is not None else []
    try:
        if paths and out.isatty() and name is None and all(path.is_file() for path in paths):
            _with_bars(client, paths, project, out, tags, permanent, files)
            return files
        for path in paths:
            source = _source(path)
            files.append(client.files.upload(source, project=project, name=name, tags=tags, permanent=permanent))
            _told(files[-1], out)
    except OSError as error:
        raise UsageError(f"'{error.filename}' cannot be read: {error.strerror or error}.") from error
    return files


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, or standard input; raises UsageError for one that cannot be read."""
    if str(path) in STREAMS:
        yield sys.stdin.buffer
        return
    try:
        source = path.open("rb")
    except OSError as error:
        raise UsageError(f"'{text.line(path)}' cannot be read: {error.strerror or error}.") from error
    with source:
        yield source


def _source(path: Path) -> Path | BinaryIO:
    return sys.stdin.buffer if str(path) in STREAMS else path


def _told(file: File, out: TextIO) -> None:
    print(f"uploaded {text.line(file.name)} ({text.size(file.bytes)}) as file:{file.id}", file=out, flush=True)


def _with_bars(
    client: Client, paths: Sequence[Path], project: str, out: TextIO, tags: Sequence[str], permanent: bool,
    files: list[File],
) -> None:  # fmt: skip
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=out)) as progress:
        for path in paths:
            with progress.open(path, "rb", description=text.line(path.name)) as source:
                files.append(
                    client.files.upload(source, project=project, name=path.name, tags=tags, permanent=permanent)
                )


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
    wanted = [(_sha256(path), path.name) for path in paths]
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


def _known(client: Client, sha256: str, name: str, project: str) -> File | None:
    """A file of the project with this content and name: another name would be strange to whoever gave this one."""
    for file in client.files.find(sha256, project=project):
        soon = file.expires_at is not None and file.expires_at < datetime.now(UTC) + SOON
        if file.sha256 == sha256 and file.name == name and not soon and TRIAL not in file.tags:
            return file
    return None


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"'{text.line(path)}' cannot be read: {error.strerror or error}.") from error
