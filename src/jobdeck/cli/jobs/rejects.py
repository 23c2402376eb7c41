"""`jobdeck jobs rejects`: rows that a job did not take."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import job_ids
from jobdeck.cli.arguments.ids import numbers
from jobdeck.cli.arguments.options import Common
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_all
from jobdeck.cli.show.table import TableColumn, print_table

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.rejects import RejectedRow, RejectFile

ROWS = 10

FILE_COLUMNS: list[TableColumn[RejectFile]] = [
    TableColumn("FILE", lambda f: f.name),
    TableColumn("ROWS", lambda f: "?" if f.rows is None else text.number(f.rows), right=True),
    TableColumn("SIZE", lambda f: text.size(f.bytes), drop=2, right=True),
    TableColumn("FROM", lambda f: text.line(_sources(f)), drop=1, least=12),
]
ROW_COLUMNS: list[TableColumn[RejectedRow]] = [
    TableColumn("IN", lambda r: text.line(r.shown), least=12),
    TableColumn("ROW", lambda r: r.row, right=True),
    TableColumn("LINE", lambda r: "" if r.line is None else r.line, drop=2, right=True),
    TableColumn("COLUMN", lambda r: text.line(r.column or ""), drop=3, least=6),
    TableColumn("VALUE", lambda r: "" if r.value is None else text.line(r.value), drop=1, least=8),
    TableColumn("REASON", lambda r: text.line(r.reason), least=12),
]


def rejects(
    id: Annotated[str, Parameter(name="ID", help="Job id.", completer=job_ids)],
    /,
    *,
    attempt: Annotated[int | None, Parameter(help="Of this attempt; the current one when not given.")] = None,
    rows: Annotated[int | None, Parameter(help="Print so many rejected rows; with -o json these alone.")] = None,
    download: Annotated[Path | None, Parameter(help="Write the reject files into this folder.")] = None,
    common: Common | None = None,
) -> None:
    """Show the rows that a job did not take, and why."""
    common = common or Common()
    (number,) = numbers((id,))
    if rows is not None and rows < 0:
        raise UsageError("--rows is less than nothing.", "Give a number of rows.")
    with common.client() as client:
        files = list(client.rejects.list(number, attempt=attempt))
        if download is not None:
            _download(client, number, files, download)
        elif common.output == "json" and rows is not None:
            print_all(
                "json",
                islice(_rows(client, number, files), rows),
                ROW_COLUMNS,
                lambda r: r.row,
                "There are no rejected rows.",
            )
        elif common.output != "table":
            print_all(common.output, files, FILE_COLUMNS, lambda f: f.name, "There are no rejected rows.")
        elif not files:
            print(f"Job {number} has no rejected rows.")
        else:
            print_table(files, FILE_COLUMNS)
            _show_rows(client, number, files, ROWS if rows is None else rows)


def _show_rows(client: Client, job: int, files: list[RejectFile], count: int) -> None:
    found = list(islice(_rows(client, job, files), count + 1))
    if found and count:
        print()
        print_table(found[:count], ROW_COLUMNS)
    if len(found) > count:
        say("There are more; --rows N shows N of them, --download DIR takes all.")


def _rows(client: Client, job: int, files: list[RejectFile]) -> Iterator[RejectedRow]:
    for file in files:
        yield from client.rejects.rows(job, file.name, attempt=file.attempt)


def _download(client: Client, job: int, files: list[RejectFile], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = folder / f"job-{job}-{file.attempt}-{Path(text.line(file.name)).name}.jsonl"
            client.rejects.download(job, target, file.name, attempt=file.attempt)
            say(f"Wrote {target}.")
    except OSError as error:
        raise UsageError(f"'{error.filename or folder}' cannot be written: {error.strerror or error}.") from error
    if not files:
        say(f"Job {job} has no rejected rows.")


def _sources(file: RejectFile) -> str:
    more = file.source_count - len(file.sources)
    return ", ".join(source.shown for source in file.sources) + (f" and {more} more" if more > 0 else "")
