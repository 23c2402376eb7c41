"""Uploads local files, with a bar per file on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from jobdeck.cli.exits import UsageError
from jobdeck.cli.show import text

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.objects import File


def upload_all(
    client: Client,
    paths: Sequence[Path],
    project: str,
    out: TextIO,
    *,
    tags: Sequence[str] = (),
    permanent: bool = False,
) -> list[File]:
    """The files made of `paths`, in order; progress goes to `out`. Raises UsageError for one that cannot be read."""
    if not paths:
        return []
    try:
        if out.isatty():
            return _with_bars(client, paths, project, out, tags, permanent)
        return [
            _told(client.files.upload(path, project=project, tags=tags, permanent=permanent), out) for path in paths
        ]
    except OSError as error:
        raise UsageError(f"'{error.filename}' cannot be read: {error.strerror or error}.") from error


def _told(file: File, out: TextIO) -> File:
    print(f"uploaded {text.line(file.name)} ({text.size(file.bytes)}) as file:{file.id}", file=out, flush=True)
    return file


def _with_bars(
    client: Client, paths: Sequence[Path], project: str, out: TextIO, tags: Sequence[str], permanent: bool
) -> list[File]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    files = []
    with Progress(*columns, console=Console(file=out)) as progress:
        for path in paths:
            with progress.open(path, "rb", description=text.line(path.name)) as source:
                files.append(
                    client.files.upload(source, project=project, name=path.name, tags=tags, permanent=permanent)
                )
    return files
