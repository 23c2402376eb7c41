"""`jobdeck types`: what can be run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import types as type_names
from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn, print_facts

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.admin import TypeInfo

COMMANDS = {"types": ("Work with jobs", "List and show job types.")}
EXAMPLES = """
jobdeck types list
jobdeck types show import
"""

Schema = dict[str, Any]
app = noun(COMMANDS)

COLUMNS: list[TableColumn[TypeInfo]] = [
    TableColumn("NAME", lambda t: t.name),
    TableColumn("CATEGORY", lambda t: t.category, drop=1),
    TableColumn("DESCRIPTION", lambda t: t.description, least=12),
]


@lists(app, COLUMNS, lambda t: t.name, "No job type is installed.")
def list_(client: Client, _: Common) -> list[TypeInfo]:
    """List the job types that can be run, and those that could not be loaded with the reason."""
    return client.types.list()


@app.command(name="show")
def show(
    name: Annotated[str, Parameter(help="Job type.", completer=type_names)], /, *, common: Common | None = None
) -> None:
    """Show a job type and its parameters."""
    with asking(common) as (client, given):
        print_one(given.output, client.types.get(name), _show_type, lambda t: t.name)


def _show_type(info: TypeInfo) -> None:
    print(f"{text.line(info.name)}: {text.line(info.description)}")
    if info.broken is not None:
        return
    print_facts(_fields(info.params_schema, info.params_schema.get("$defs", {})))


def _fields(schema: Schema, defs: Schema, before: str = "", above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The parameters; those in a group as `--param` takes them, `csv.encoding`. A group within itself ends there."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        yield before + name, _field(field, name in required)
        for ref in filter(None, (_named(kind) for kind in _kinds(field))):
            if ref not in above:
                yield from _fields(defs.get(ref, {}), defs, f"{before}{name}.", (*above, ref))


def _named(schema: Schema) -> str | None:
    """The name of a group of fields that stands in `$defs`."""
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None


def _kinds(field: Schema) -> list[Schema]:
    return [kind for kind in (field, *field.get("anyOf", ())) if {"type", "enum", "$ref"} & kind.keys()]


def _field(field: Schema, required: bool) -> str:
    """Type or choices of a parameter, what it means, and its default."""
    kind = " or ".join(_kind(kind) for kind in _kinds(field))
    default = "required" if required else f"default {json.dumps(field.get('default'), ensure_ascii=False)}"
    return " ".join(part for part in (kind, field.get("description", ""), f"({default})") if part)


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return "|".join(str(choice) for choice in schema["enum"])
    return str(schema.get("type", "object"))
