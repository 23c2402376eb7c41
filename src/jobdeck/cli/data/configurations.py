"""`jobdeck configurations`: saved, versioned parameters of a job type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import types as type_names
from jobdeck.cli.arguments.ids import some
from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.arguments.params import assembled, document, pairs, schema_for
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_one, print_value
from jobdeck.cli.show.table import TableColumn, print_facts

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.admin import Configuration

COMMANDS = {"configurations": ("Data", "List, save and delete configurations: saved parameters.")}
EXAMPLES = """
jobdeck configurations list --project shop
jobdeck configurations create short-nap sleep -p seconds=5
jobdeck configurations show 3
jobdeck configurations change 3 -p seconds=10
jobdeck configurations delete 3
"""

app = noun(COMMANDS)

COLUMNS: list[TableColumn[Configuration]] = [
    TableColumn("ID", lambda c: c.id, right=True),
    TableColumn("NAME", lambda c: c.name, least=10),
    TableColumn("TYPE", lambda c: c.type),
    TableColumn("VERSION", lambda c: c.version, right=True),
    TableColumn("UPDATED", lambda c: c.updated_at or c.created_at, drop=1),
]
Param = Annotated[
    list[str] | None, Parameter(name=["--param", "-p"], help="name=value, as in `run`.", negative_iterable=())
]
ParamsJson = Annotated[str | None, Parameter(help="All parameters as a JSON object, @FILE, or @-.")]
Id = Annotated[int, Parameter(help="Its id, as `configurations list` shows it.")]


@lists(app, COLUMNS, lambda c: c.id, "The project {project} has no configurations.")
def list_(client: Client, given: Common) -> list[Configuration]:
    """List the project's configurations."""
    return client.configurations.list(project=given.project_or_default)


@app.command(name="show")
def show(id: Id, /, *, common: Common | None = None) -> None:
    """Show a configuration and its parameters, secrets masked."""
    with asking(common) as (client, given):
        found = client.configurations.get(id, project=given.project_or_default)
    print_one(given.output, found, _show, lambda c: c.id)


@app.command(name="create")
def create(
    name: Annotated[str, Parameter(help="Its name.")],
    type: Annotated[str, Parameter(help="Job type.", completer=type_names)],
    /,
    *,
    param: Param = None,
    params_json: ParamsJson = None,
    common: Common | None = None,
) -> None:
    """Save parameters of a job type under a name."""
    common = common or Common()
    typed, base = pairs(param), document(params_json)
    with common.client() as client:
        params = assembled(typed, schema_for(client, type, typed), base=base)
        made = client.configurations.create(name, type, params, project=common.project_or_default)
    print_one(
        common.output, made, lambda c: print(f"Configuration {c.id} '{text.line(c.name)}' is created."), lambda c: c.id
    )


@app.command(name="change")
def change(
    id: Id,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Another name.")] = None,
    param: Param = None,
    params_json: ParamsJson = None,
    common: Common | None = None,
) -> None:
    """Save its next version: --param puts values over the present ones, --params-json replaces all of them."""
    common = common or Common()
    if name is None and not param and params_json is None:
        raise UsageError("Nothing is to change.", "Give --name, --param or --params-json.")
    typed = pairs(param)
    with common.client() as client:
        now = client.configurations.get(id, project=common.project_or_default)
        base = now.params if params_json is None else document(params_json)
        params = assembled(typed, schema_for(client, now.type, typed), base=base)
        made = client.configurations.change(id, name=name, params=params, project=common.project_or_default)
    print_one(
        common.output,
        made,
        lambda c: print(f"Configuration {c.id} '{text.line(c.name)}' is version {c.version}."),
        lambda c: c.id,
    )


@app.command(name="delete")
def delete(*ids: Annotated[int, Parameter(name="ID", help="Configurations.")], common: Common | None = None) -> None:
    """Delete configurations that no job ran."""
    with asking(common) as (client, given):
        for id_ in some(ids, "configuration", "jobdeck configurations list"):
            client.configurations.delete(id_, project=given.project_or_default)
            say(f"Configuration {id_} is deleted.")


def _show(found: Configuration) -> None:
    print(f"{found.id} {text.line(found.name)}")
    print_facts(
        [
            ("type", text.line(found.type)),
            ("version", str(found.version)),
            ("by", text.line(found.created_by or "")),
            ("created", text.moment(found.created_at)),
        ]
    )
    print_value(found.params)
