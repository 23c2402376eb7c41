"""`jobdeck files …`: what was uploaded or made."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import file_ids
from jobdeck.cli.arguments.ids import file_numbers
from jobdeck.cli.arguments.more import More, print_list, tell_more
from jobdeck.cli.arguments.options import STDIN, Common, Force, asking, noun
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_all, print_one, print_page
from jobdeck.cli.show.table import TableColumn, print_facts, print_table
from jobdeck.cli.upload import opened, require_readable, upload_all

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.objects import File, FileVersion

COMMANDS = {"files": ("Data", "Upload, replace, list, download and delete project files.")}
EXAMPLES = """
jobdeck files upload orders.csv items.csv --tag nightly
jobdeck files list --limit 10
jobdeck files show 7
jobdeck files upload - --name a.csv
jobdeck files replace 7 mended.csv
jobdeck files download 7
jobdeck files download 7 --to orders.csv
jobdeck files delete 7 8
"""

app = noun(COMMANDS)

FileIds = Annotated[
    str,
    Parameter(
        name="ID", help="File ids, with or without file: before them, or - for standard input.", completer=file_ids
    ),
]

COLUMNS: list[TableColumn[File]] = [
    TableColumn("ID", lambda f: f.id, right=True),
    TableColumn("NAME", lambda f: f.name, least=12),
    TableColumn("SIZE", lambda f: text.size(f.bytes), right=True),
    TableColumn("TAGS", lambda f: f.tags, drop=4, least=6),
    TableColumn("BY", lambda f: f.created_by, drop=3, least=6),
    TableColumn("CREATED", lambda f: f.created_at, drop=1),
    TableColumn("EXPIRES", lambda f: "never" if f.permanent else f.expires_at, drop=2),
]


VERSION_COLUMNS: list[TableColumn[FileVersion]] = [
    TableColumn("VERSION", lambda v: v.version, right=True),
    TableColumn("NAME", lambda v: v.name, least=12),
    TableColumn("SIZE", lambda v: text.size(v.bytes), right=True),
    TableColumn("BY", lambda v: v.created_by, drop=2, least=6),
    TableColumn("CREATED", lambda v: v.created_at, drop=1),
]


MOST_FAILED = 20
"""Failed jobs that are looked at for the file that was replaced."""


def no_files(project: str) -> str:
    """What is said where a project has no files."""
    return f"The project {project} has no files. `jobdeck files upload FILE` brings one."


@app.command(name="list")
def list_(
    *,
    limit: Annotated[int | None, Parameter(help="Files to show. [default: 100 in a table, else all]")] = None,
    cursor: Annotated[str | None, Parameter(help="Go on where an earlier page ended (its `next`).")] = None,
    common: Common | None = None,
) -> None:
    """List the project's files. With -o ids and -o json all of them, unless --limit is given."""
    common = common or Common()
    project = common.project_or_default
    most = More(limit, 100).of(common.output)
    with common.client() as client:
        from jobdeck.client.http.resource import MAX_PAGE

        if most is None or most > MAX_PAGE:
            files = client.files.list(project=project, cursor=cursor)
            print_list(common.output, files, COLUMNS, lambda f: f.id, More(limit, 100), no_files(project))
            return
        page = client.files.page(project=project, limit=most, cursor=cursor)
    print_page(common.output, page, COLUMNS, lambda f: f.id, no_files(project))
    tell_more(page, common.output)


@app.command
def show(*ids: FileIds, common: Common | None = None) -> None:
    """Show files: size, checksum, who, when, which jobs."""
    with asking(common) as (client, given):
        for id_ in file_numbers(ids):
            print_one(given.output, client.files.get(id_, project=given.project_or_default), _show, lambda f: f.id)


@app.command
def upload(
    *paths: Annotated[
        Path, Parameter(name="FILE", help="Local files, or - for standard input.", allow_leading_hyphen=True)
    ],
    name: Annotated[str | None, Parameter(help="Its name, of one file or stream; needed for -.")] = None,
    tag: Annotated[list[str] | None, Parameter(help="Tag; may be repeated.", negative_iterable=())] = None,
    permanent: Annotated[bool, Parameter(help="Keep them until they are deleted.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Upload local files, or what comes by a stream."""
    common = common or Common()
    if not paths:
        raise UsageError("No file was given.", "Name one or more files to upload.")
    require_readable(paths, name)
    with common.client() as client:
        files = upload_all(
            client, paths, common.project_or_default, sys.stderr, name=name, tags=tag or (), permanent=permanent
        )
    print_all(common.output, files, COLUMNS, lambda f: f.id, "No file was uploaded.")


@app.command
def replace(
    id: Annotated[str, Parameter(name="ID", help="File id.")],
    path: Annotated[
        Path, Parameter(name="FILE", help="A local file, or - for standard input.", allow_leading_hyphen=True)
    ],
    /,
    *,
    name: Annotated[str | None, Parameter(help="Its name from now on; needed for -.")] = None,
    tag: Annotated[
        list[str] | None, Parameter(help="Tag, in place of its tags; may be repeated.", negative_iterable=())
    ] = None,
    permanent: Annotated[bool, Parameter(help="Keep it until it is deleted.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Put other content in a file's place, under its id; what was there stays as an earlier version.

    Jobs that failed on it take the new content once they are resumed."""
    common = common or Common()
    (number,) = file_numbers((id,))
    require_readable((path,), name)
    project = common.project_or_default
    with common.client() as client, opened(path) as source:
        before = client.files.get(number, project=project)
        file = client.files.replace(
            number, source, project=project, name=name or path.name, tags=tag, permanent=permanent
        )
        failed = _failed_on(client, project, number)
    if file.version == before.version:
        say(f"file:{number} has this content already; nothing was changed.")
    else:
        say(f"file:{number} is {text.line(file.name)} now, version {file.version}; version {before.version} is kept.")
    if failed:
        named = "Job " + failed[0] if len(failed) == 1 else f"Jobs {', '.join(failed)}"
        say(f"{named} failed with it: `jobdeck job resume {' '.join(failed)}` loads what changed.")
    print_one(common.output, file, _show, lambda f: f.id)


def _failed_on(client: Client, project: str, number: int) -> list[str]:
    """Ids of jobs that are failed and name the file, the newest ones, oldest first."""
    ref = f'"file:{number}"'
    found = client.jobs.page(project=project, state="failed", q=f"file:{number}", limit=MOST_FAILED).items
    return [str(job.id) for job in reversed(found) if ref in json.dumps(job.params)]


@app.command
def download(
    id: Annotated[str, Parameter(help="File id.", completer=file_ids)],
    *,
    version: Annotated[int | None, Parameter(help="An earlier version of it; files show lists them.")] = None,
    to: Annotated[
        str | None,
        Parameter(name=["--to", "-O"], help="Path to write, or - for standard output.", allow_leading_hyphen=True),
    ] = None,
    common: Common | None = None,
) -> None:
    """Download a file, checking its checksum; under its own name unless told otherwise."""
    common = common or Common()
    (number,) = file_numbers((id,))
    project = common.project_or_default
    with common.client() as client:
        if to == STDIN:
            for chunk in client.files.read(number, project=project, version=version):
                sys.stdout.buffer.write(chunk)
            return
        target = (
            Path(to)
            if to
            else Path(Path(text.line(client.files.get(number, project=project).name)).name or f"file-{number}")
        )
        if to is None and target.exists():
            raise UsageError(
                f"'{target}' is there already.", "Name another path, or the same to replace it, with --to."
            )
        try:
            client.files.download(number, target, project=project, version=version)
        except OSError as error:
            raise UsageError(f"'{target}' cannot be written: {error.strerror or error}.") from error
    say(f"Wrote {target}.")


@app.command
def delete(*ids: FileIds, force: Force = False, common: Common | None = None) -> None:
    """Delete files; one that jobs which have not ended, or configurations, name only with --force."""
    with asking(common) as (client, given):
        for id_ in file_numbers(ids):
            client.files.delete(id_, project=given.project_or_default, force=force)
            print(id_ if given.output == "ids" else f"File {id_} is deleted.", file=_out(given))


def _out(common: Common) -> TextIO:
    return sys.stderr if common.output == "json" else sys.stdout


def _show(file: File) -> None:
    print(f"File {file.id}: {text.line(file.name)}")
    print_facts(
        [
            ("size", f"{text.size(file.bytes)} ({text.number(file.bytes)} bytes)"),
            ("sha256", file.sha256),
            ("type", file.content_type),
            ("tags", ", ".join(file.tags)),
            ("created", file.created_at),
            ("by", file.created_by),
            ("expires", "never" if file.permanent else file.expires_at),
            ("jobs", ", ".join(str(job) for job in file.jobs)),
        ]
    )
    if file.versions:
        print()
        print_table(file.versions, VERSION_COLUMNS)
