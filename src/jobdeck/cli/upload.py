"""Uploads local files, with a bar per file on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from jobdeck.cli.exits import UsageError
from jobdeck.cli.show import text

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.objects import File

STREAMS = ("-", "/dev/stdin")
"""Names of standard input."""


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
