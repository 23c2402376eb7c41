"""`jobdeck import FILE… --into REF`: uploads what is local, then submits an import of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from jobdeck.cli.arguments.options import Common
from jobdeck.cli.arguments.params import assembled, pairs, schema_for
from jobdeck.cli.exits import UsageError
from jobdeck.cli.jobs.plan import planned
from jobdeck.cli.jobs.verbs import newest, submitted
from jobdeck.cli.run import DryRun, Priority, Tags, Wait
from jobdeck.cli.show import text
from jobdeck.cli.upload import TRIAL, provided
from jobdeck.core.output.nearest import nearest

if TYPE_CHECKING:
    from jobdeck.cli.upload import Provided
    from jobdeck.client import Client
    from jobdeck.client.jobs import Wishes

COMMANDS = {"import": ("Work with jobs", "Load files into a table or collection.")}
EXAMPLES = """
jobdeck import orders.csv --into lake/shop/orders --wait
jobdeck import a.csv b.csv --into lake/shop/orders --mode upsert --key id
jobdeck import old.csv --into lake/shop/old --csv-delimiter ';' --csv-encoding latin-1 --dry-run
jobdeck import s3://bucket/2026/*.parquet --into lake/shop/orders
"""

Once = Annotated[
    str | None,
    Parameter(
        name=["--once", "--idempotency-key"],
        help="Idempotency key: given again within two days, the answer is the first job and no row is added.",
    ),
]
SERVER = "or use --server-path for files on the server."
CSV = Group("CSV", sort_key=20)
NO_FILE = "file:0"
"""No file has this id."""
Named = Annotated[str | Path, Parameter(name="FILE", help="Local files, file:ID of uploaded ones, or s3:// addresses.")]
ServerPath = Annotated[bool, Parameter(help="FILE names files on the server; upload nothing.", negative=())]
_REMOTE = re.compile(r"(file:\d+|[a-z][a-z0-9+.-]*://.*)", re.DOTALL)


def import_(
    *given: Named,
    into: Annotated[str, Parameter(help="The table or collection, for example lake/in.shop/orders.")],
    mode: Annotated[Literal["append", "replace", "upsert"] | None, Parameter(help="[default: append]")] = None,
    format: Annotated[
        Literal["auto", "parquet", "csv", "json", "jsonl", "numpy"] | None, Parameter(help="[default: auto]")
    ] = None,
    key: Annotated[
        list[str] | None, Parameter(name="--key", help="Key column; may be repeated.", negative_iterable=())
    ] = None,
    create: Annotated[bool | None, Parameter(help="Make the table if it is not there. [default: yes]")] = None,
    on_bad_row: Annotated[Literal["fail", "reject"] | None, Parameter(help="[default: fail]")] = None,
    csv_delimiter: Annotated[str | None, Parameter(group=CSV, help="What stands between values.")] = None,
    csv_quote: Annotated[str | None, Parameter(group=CSV, help="What stands around values.")] = None,
    csv_escape: Annotated[str | None, Parameter(group=CSV, help="What stands before a quote inside quotes.")] = None,
    csv_encoding: Annotated[str | None, Parameter(group=CSV, help="Such as latin-1. [default: UTF-8]")] = None,
    csv_decimal_point: Annotated[Literal[".", ","] | None, Parameter(group=CSV, help="[default: .]")] = None,
    csv_skip_rows: Annotated[int | None, Parameter(group=CSV, help="Lines to leave out before the header.")] = None,
    csv_header: Annotated[bool | None, Parameter(group=CSV, help="Whether the first line has the names.")] = None,
    param: Annotated[
        list[str] | None,
        Parameter(
            name=["--param", "-p"],
            help="Any other, name=value; dots for parts: csv.encoding=latin-1.",
            negative_iterable=(),
        ),
    ] = None,
    server_path: ServerPath = False,
    once: Once = None,
    wait: Wait = False,
    priority: Priority = None,
    tag: Tags = None,
    dry_run: DryRun = False,
    common: Common | None = None,
) -> int:
    """Load files into a table or collection.

    What is wrong with table, key, options and rights is told before anything is uploaded. A local file that is
    in the project already, by content and name, is not uploaded again. A dry run uploads what is not, and deletes it
    again."""
    common = common or Common()
    files = tuple(
        _once_each(_matching([str(name) for name in given], server_path=server_path), server_path=server_path)
    )
    csv = {
        "delimiter": csv_delimiter, "quote": csv_quote, "escape": csv_escape, "header": csv_header,
        "encoding": csv_encoding, "decimal_point": csv_decimal_point, "skip_rows": csv_skip_rows,
    }  # fmt: skip
    options = {"mode": mode, "format": format, "key": _columns(key), "create": create, "on_bad_row": on_bad_row}
    flags = _given({"into": into, **options, "csv": _given(csv) or None})
    typed = pairs(param)
    _check(files, server_path=server_path)
    with common.client() as client:
        params = assembled(typed, schema_for(client, "import", typed), flags=flags)
        if "files" in params:
            raise UsageError("The files are given twice: as FILE and as files=….", "Name all of them as FILE.")
        local = {name: Path(name) for name in files if not (server_path or _REMOTE.fullmatch(name))}
        wanted = _Wanted(params, files, local, once, {"priority": priority, "tags": tag})
        return _planned(client, wanted, common) if dry_run else _submitted(client, wanted, common, wait=wait)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An import that was asked for: its files as they were named, and those of them that are here."""

    params: dict[str, Any]
    files: tuple[str, ...]
    local: dict[str, Path]
    once: str | None
    wishes: Wishes

    def provide(self, client: Client, project: str, *tags: str) -> tuple[Provided, dict[str, Any]]:
        """The parameters with the project's files in place of local ones, once the server has nothing against them."""
        if self.local:
            others = [name for name in self.files if name not in self.local]
            _require_acceptable(client, {**self.params, "files": others}, project)
        kept = provided(client, list(self.local.values()), project, sys.stderr, tags=tags)
        refs = {name: f"file:{file.id}" for name, file in zip(self.local, kept.files, strict=True)}
        return kept, {**self.params, "files": [refs.get(name, name) for name in self.files]}


def _planned(client: Client, wanted: _Wanted, common: Common) -> int:
    project = common.project_or_default
    kept, params = wanted.provide(client, project, TRIAL)
    with kept.removed_again(when_refused=False):
        return planned(client.jobs.dry_run("import", params, project=project), common)


def _submitted(client: Client, wanted: _Wanted, common: Common, *, wait: bool) -> int:
    project = common.project_or_default
    kept, params = wanted.provide(client, project)
    before = newest(client, project, wanted.once)
    with kept.removed_again(when_refused=True):
        job = client.jobs.submit("import", params, project=project, key=wanted.once, **wanted.wishes)
    return submitted(client, job, common, wait=wait, before=before)


def _require_acceptable(client: Client, params: dict[str, Any], project: str) -> None:
    """Raises what the server has against the import, its local files apart: one that nobody has stands for them."""
    from jobdeck.client import Invalid

    place = len(params["files"])
    try:
        client.jobs.dry_run("import", {**params, "files": [*params["files"], NO_FILE]}, project=project)
    except Invalid as error:
        if error.field != f"params.files[{place}]":
            raise


def _check(files: tuple[str, ...], *, server_path: bool) -> None:
    """Refuse what cannot be uploaded before anything is."""
    if not files:
        raise UsageError("No file was given.", "Name one or more files to import.")
    for name in files:
        if server_path or _REMOTE.fullmatch(name):
            continue
        if not Path(name).is_file():
            raise _no_file(Path(name))


def _matching(names: Sequence[str], *, server_path: bool) -> Iterator[str]:
    """The names, with the local files in place of a pattern that no shell has replaced: it stood in quotes."""
    for name in names:
        here = server_path or _REMOTE.fullmatch(name) or Path(name).exists()
        files = [] if here else sorted(found for found in glob(name, recursive=True) if Path(found).is_file())  # noqa: PTH207 – an absolute pattern, too
        yield from files or [name]


def _once_each(names: Iterable[str], *, server_path: bool) -> Iterator[str]:
    """The names without those that name a file again, as where a pattern meets a name.

    Its rows would be there twice."""
    seen: set[str] = set()
    for name in names:
        file = name if server_path or not Path(name).exists() else str(Path(name).resolve())
        if file in seen:
            print(f"{text.line(name)} is named twice; it is loaded once", file=sys.stderr)
            continue
        seen.add(file)
        yield name


def _no_file(path: Path) -> UsageError:
    """Of a name that is no file here: what it is, and what may have been meant."""
    if path.is_dir():
        return _folder(path)
    if has_magic(str(path)):
        return UsageError(f"No file here matches '{path}'.", f"Look at the folder you are in, {SERVER}")
    there = [str(other) for other in path.parent.glob("*") if other.is_file()] if path.parent.is_dir() else []
    then = f"Look at its name and the folder you are in, {SERVER}"
    return UsageError(f"'{path}' does not exist here.", f"{nearest(str(path), there)}{then}")


def _folder(path: Path) -> UsageError:
    """Of a folder: how to name the files that are in it, however deep."""
    inside = next((file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith("_")), None)
    depth = len(inside.relative_to(path).parts) if inside else 1
    pattern = "/".join([str(path), *["*"] * (depth - 1), f"*{inside.suffix}" if inside else "*.csv"])
    whole = "One on the server is read whole, with columns from folders named column=value: --server-path."
    return UsageError(f"'{path}' is a folder.", f"Name the files in it, for example {pattern}. {whole}")


def _columns(names: list[str] | None) -> list[str] | None:
    return [part.strip() for name in names for part in name.split(",") if part.strip()] if names else None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
