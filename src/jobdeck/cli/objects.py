"""`jobdeck objects …`: tables and collections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import refs
from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.exits import say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_all, print_ids, print_json, print_one
from jobdeck.cli.show.table import TableColumn, print_facts, print_table

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.objects import Column as Field
    from jobdeck.wire.objects import ObjectVersion, Rows, TableObject

COMMANDS = {"objects": ("Data", "Look at tables and collections.")}
EXAMPLES = """
jobdeck objects list
jobdeck objects rows lake/shop/orders --limit 5
jobdeck objects list --project shop
jobdeck objects show lake/shop/orders
jobdeck objects versions lake/shop/orders
"""

MOST_ROWS = 1000
"""Rows of one answer."""
app = noun(COMMANDS)

Ref = Annotated[str, Parameter(name="REF", help="For example lake/in.shop/orders.", completer=refs)]

OBJECT_COLUMNS: list[TableColumn[TableObject]] = [
    TableColumn("REF", lambda o: o.ref, least=16, last=True),
    TableColumn("KIND", lambda o: o.kind, drop=4),
    TableColumn("ROWS", lambda o: text.number(o.rows), right=True),
    TableColumn("SIZE", lambda o: text.size(o.bytes), drop=1, right=True),
    TableColumn("VERSION", lambda o: o.version, drop=3, right=True),
    TableColumn("UPDATED", lambda o: o.updated_at, drop=2),
]

FIELD_COLUMNS: list[TableColumn[Field]] = [
    TableColumn("COLUMN", lambda f: f.name, least=10),
    TableColumn("TYPE", lambda f: f.type if f.dimension is None else f"{f.type}({f.dimension})", least=10),
    TableColumn("NULL", lambda f: "" if f.nullable else "not null", drop=2),
    TableColumn("KEY", lambda f: "key" if f.key else "", drop=1),
    TableColumn("INDEX", lambda f: " ".join(x for x in (f.index, f.metric) if x), drop=3),
]

VERSION_COLUMNS: list[TableColumn[ObjectVersion]] = [
    TableColumn("VERSION", lambda v: v.version, right=True),
    TableColumn("AT", lambda v: v.at),
    TableColumn("JOB", lambda v: v.job, right=True),
    TableColumn("WHAT", lambda v: v.operation, drop=1, least=8),
    TableColumn("ROWS", lambda v: text.number(v.rows), drop=2, right=True),
]


@lists(
    app,
    OBJECT_COLUMNS,
    lambda o: o.ref,
    "The project {project} has no tables. `jobdeck import FILE --into lake/a/b` makes one.",
)
def list_(client: Client, given: Common) -> list[TableObject]:
    """List the project's tables and collections."""
    return client.objects.list(project=given.project_or_default)


@app.command
def show(ref: Ref, /, *, common: Common | None = None) -> None:
    """Show columns, size and newest version of one."""
    with asking(common) as (client, given):
        found = client.objects.describe(ref, project=given.project_or_default)
    print_one(given.output, found, _show, lambda o: o.ref)


@app.command
def rows(
    ref: Ref,
    /,
    *,
    limit: Annotated[int, Parameter(help="Rows to show.")] = 20,
    version: Annotated[str | None, Parameter(help="As of this version.")] = None,
    cursor: Annotated[str | None, Parameter(help="Go on where an earlier page ended (its `next`).")] = None,
    common: Common | None = None,
) -> None:
    """Show some rows. More than fit into memory are read with the Python client, objects.batches."""
    with asking(common) as (client, given):
        found = _rows(client, ref, given.project_or_default, limit, version, cursor)
    if given.output == "table":
        if not print_table(found.items, _row_columns(found)):
            say(f"{text.line(ref)} has no rows.")
        if found.next is not None:
            say(f"There are more than these {len(found.items)}; --limit shows more, --cursor {found.next} the next.")
    else:
        print_json(found)


def _rows(client: Client, ref: str, project: str, limit: int, version: str | None, cursor: str | None) -> Rows:
    """As many as were asked for, in one answer or several."""
    found = client.objects.rows(ref, project=project, limit=min(limit, MOST_ROWS), version=version, cursor=cursor)
    while found.next is not None and len(found.items) < limit:
        wanted = min(limit - len(found.items), MOST_ROWS)
        behind = client.objects.rows(ref, project=project, limit=wanted, cursor=found.next)
        found = found.model_copy(update={"items": [*found.items, *behind.items], "next": behind.next})
    return found


@app.command
def versions(ref: Ref, /, *, common: Common | None = None) -> None:
    """Show the versions of one, newest first."""
    with asking(common) as (client, given):
        found = client.objects.versions(ref, project=given.project_or_default)
    if given.output == "ids":
        print_ids(v.version for v in found)
    else:
        print_all(given.output, found, VERSION_COLUMNS, lambda v: v.version, f"{ref} has no versions.")


def _show(found: TableObject) -> None:
    print(f"{text.line(found.ref)} ({text.line(found.kind)})")
    print_facts(
        [
            ("rows", text.number(found.rows)),
            ("size", text.size(found.bytes)),
            ("version", found.version),
            ("updated", found.updated_at),
        ]
    )
    if found.columns:
        print()
        print_table(found.columns, FIELD_COLUMNS)


def _row_columns(found: Rows) -> list[TableColumn[dict[str, Any]]]:
    names = [c.name for c in found.columns] or list(dict.fromkeys(name for row in found.items for name in row))
    return [_row_column(name, position, found.items) for position, name in enumerate(names)]


def _row_column(name: str, position: int, rows: list[dict[str, Any]]) -> TableColumn[dict[str, Any]]:
    right = _are_numbers([row.get(name) for row in rows])
    return TableColumn(text.line(name), lambda row: _plain(row.get(name)), drop=position, least=8, right=right)


def _are_numbers(values: list[Any]) -> bool:
    """Whether they stand better on the right: all that are there are numbers. A bool is none."""
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def _plain(value: Any) -> object:
    """Texts and numbers as they are, anything with parts as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value
