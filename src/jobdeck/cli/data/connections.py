"""`jobdeck connections`: the systems that a project's jobs read from and write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from jobdeck.cli.arguments import secrets
from jobdeck.cli.arguments.ids import some
from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, Force, asking, noun
from jobdeck.cli.arguments.params import assembled, pairs
from jobdeck.cli.arguments.schemas import Schema
from jobdeck.cli.exits import DONE, JOB_FAILED, UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn, print_facts
from jobdeck.core.values import encode, flat, merged

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.admin import Connection, ConnectionTest

COMMANDS = {"connections": ("Data", "List, show, create, change, test and delete connections.")}
EXAMPLES = """
jobdeck connections list --project shop
jobdeck connections create bucket files --option url=s3://bucket --secrets-json @secrets.json
jobdeck connections show bucket
jobdeck connections change bucket --option region=eu-west-1
jobdeck connections change bucket --secret aws_secret_access_key=@key.txt
jobdeck connections test bucket
jobdeck connections delete bucket
"""

app = noun(COMMANDS)

COLUMNS: list[TableColumn[Connection]] = [
    TableColumn("NAME", lambda c: c.name),
    TableColumn("KIND", lambda c: c.kind),
    TableColumn("LEADS TO", lambda c: str(c.options.get("url", "")), drop=2, least=10),
    TableColumn("DESCRIPTION", lambda c: c.description, drop=1, least=10),
]
Name = Annotated[str, Parameter(help="The connection.")]
Option = Annotated[
    list[str] | None,
    Parameter(name="--option", help="name=value, such as url=s3://bucket or region=eu-west-1.", negative_iterable=()),
]
Secret = Annotated[
    list[str] | None,
    Parameter(
        name="--secret",
        help="Name of a secret, such as aws_secret_access_key, which is asked for; or NAME=@FILE. May be repeated.",
        negative_iterable=(),
    ),
]
SecretsJson = Annotated[
    str | None, Parameter(help="Secrets as a JSON object: @FILE, or @- for standard input. Never shown again.")
]


@lists(app, COLUMNS, lambda c: c.name, "The project {project} has no connections.")
def list_(client: Client, given: Common) -> list[Connection]:
    """List the project's connections, without their secrets."""
    return client.connections.list(project=given.project_or_default)


@app.command(name="show")
def show(name: Name, /, *, common: Common | None = None) -> None:
    """Show a connection: its options, and which secrets it has."""
    with asking(common) as (client, given):
        found = client.connections.get(name, project=given.project_or_default)
    print_one(given.output, found, _show, lambda c: c.name)


@app.command(name="create")
def create(
    name: Annotated[str, Parameter(help="Lower-case letters, digits, -, _ and dots; jobs name objects by it.")],
    kind: Annotated[str, Parameter(help="An installed connector, such as files.")],
    /,
    *,
    option: Option = None,
    secret: Secret = None,
    secrets_json: SecretsJson = None,
    common: Common | None = None,
) -> None:
    """Create a connection to a system that jobs read from or write to."""
    common = common or Common()
    options = assembled(secrets.none_among(pairs(option, "--option")), Schema(None))
    hidden = secrets.given(secret, secrets_json)
    with common.client() as client:
        made = client.connections.create(name, kind, options, hidden, project=common.project_or_default)
    print_one(common.output, made, lambda c: print(f"Connection {c.name} ({c.kind}) is created."), lambda c: c.name)


@app.command(name="change")
def change(
    name: Name,
    /,
    *,
    option: Option = None,
    unset: Annotated[
        list[str] | None, Parameter(name="--unset", help="Option or secret to take out.", negative_iterable=())
    ] = None,
    secret: Secret = None,
    secrets_json: SecretsJson = None,
    common: Common | None = None,
) -> None:
    """Change a connection; what is not named stays. Where the address changes, give its secrets again."""
    common = common or Common()
    if not (option or unset or secret or secrets_json):
        raise UsageError("Nothing is to change.", "Give --option, --unset, --secret or --secrets-json.")
    options = assembled(secrets.none_among(pairs(option, "--option")), Schema(None))
    hidden = secrets.given(secret, secrets_json)
    with common.client() as client:
        now = client.connections.get(name, project=common.project_or_default)
        for gone in unset or ():
            if _has(now.secrets, gone):
                hidden = merged(hidden, _nothing(now.secrets, gone))
            elif _has(now.options, gone):
                options = merged(options, _nothing(now.options, gone))
            else:
                raise UsageError(f"The connection {name} has no option or secret '{gone}'.")
        made = client.connections.change(name, options, hidden, project=common.project_or_default)
    print_one(common.output, made, lambda c: print(f"Connection {c.name} ({c.kind}) is changed."), lambda c: c.name)


@app.command(name="test")
def look(*names: Annotated[str, Parameter(name="NAME", help="Connections.")], common: Common | None = None) -> int:
    """Look whether the places that connections lead to answer; status 1 where one does not."""
    common = common or Common()
    ok = True
    with common.client() as client:
        for name in some(names, "connection", "jobdeck connections list"):
            found = client.connections.test(name, project=common.project_or_default)
            ok = ok and found.ok
            print_one(common.output, found, lambda t, name=name: _tell(name, t), lambda _t, name=name: name)  # type: ignore[misc]
    return DONE if ok else JOB_FAILED


@app.command(name="delete")
def delete(
    *names: Annotated[str, Parameter(name="NAME", help="Connections.")],
    force: Force = False,
    common: Common | None = None,
) -> None:
    """Delete connections and their secrets; what is in the systems stays. One that jobs which have not ended, or
    configurations, name is deleted only with --force."""
    with asking(common) as (client, given):
        for name in some(names, "connection", "jobdeck connections list"):
            client.connections.delete(name, project=given.project_or_default, force=force)
            say(f"Connection {name} is deleted.")


def _show(found: Connection) -> None:
    print(f"{found.name} ({found.kind})" + (f": {text.line(found.description)}" if found.description else ""))
    print_facts([(name, _shown(value)) for name, value in flat(found.options)])
    print_facts([(name, f"{value} (secret)") for name, value in flat(found.secrets)])
    if found.created_at is not None:
        print_facts([("created", text.moment(found.created_at))])


def _shown(value: object) -> str:
    """As it is written with --option."""
    return text.line(value if isinstance(value, str) else encode(value))


def _tell(name: str, found: ConnectionTest) -> None:
    print(text.line(f"{name}: {'ok' if found.ok else 'does not work'} ({found.seconds:g} s): {found.text}"))
    if found.hint:
        say(f"hint: {text.line(found.hint)}")


def _has(values: dict[str, Any], name: str) -> bool:
    return name in {one for one, _ in flat(values)}


def _nothing(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The same groups with null in the place of `name`, which takes it out."""
    for key, value in values.items():
        if key == name:
            return {key: None}
        if isinstance(value, dict) and _has({key: value}, name):
            inner = name if key == "options" else name.removeprefix(f"{key}.")
            return {key: _nothing(value, inner)}
    return {}
