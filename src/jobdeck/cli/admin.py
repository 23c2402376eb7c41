"""Everything around the jobs: projects, tokens, workers, types, configurations, connections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import types as type_names
from jobdeck.cli.arguments.options import Common, noun
from jobdeck.cli.arguments.params import assembled, document, pairs, schema_for
from jobdeck.cli.arguments.schemas import Schema
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.colours import of_state
from jobdeck.cli.show.output import print_all, print_one
from jobdeck.cli.show.table import Column, print_facts

if TYPE_CHECKING:
    from jobdeck.wire.admin import Configuration, Connection, NewToken, Project, Token, TypeInfo, Worker

projects = noun("projects", "List, create and change projects.")
tokens = noun("tokens", "List, create and revoke access tokens.")
workers = noun("workers", "List and drain workers.")
types = noun("types", "List and show job types.")
configurations = noun("configurations", "List and create configurations: saved parameters.")
connections = noun("connections", "List, create and delete connections.")

PROJECT_COLUMNS: list[Column[Project]] = [
    Column("NAME", lambda p: p.name),
    Column("TITLE", lambda p: p.title, drop=1, least=8),
    Column("WEIGHT", lambda p: f"{p.weight:g}", right=True),
    Column("CREATED", lambda p: p.created_at, drop=2),
]
TOKEN_COLUMNS: list[Column[Token]] = [
    Column("ID", lambda t: t.id, right=True),
    Column("NAME", lambda t: t.name, least=8),
    Column("FOR", lambda t: t.principal, drop=4, least=8),
    Column("ROLE", lambda t: t.role),
    Column("PROJECT", lambda t: t.project or "all"),
    Column("CREATED", lambda t: t.created_at, drop=2),
    Column("LAST USED", lambda t: t.last_used_at, drop=3),
    Column("EXPIRES", lambda t: "revoked" if t.revoked_at else t.expires_at or "never", drop=1),
]
WORKER_COLUMNS: list[Column[Worker]] = [
    Column("ID", lambda w: w.id),
    Column("NAME", lambda w: w.name, drop=4, least=8),
    Column("HOST", lambda w: w.host, drop=5, least=8),
    Column("STATE", lambda w: w.state, style=lambda w: of_state(w.state)),
    Column("SLOTS", lambda w: w.slots, drop=2, right=True),
    Column("RUNNING JOBS", lambda w: w.running, drop=1, least=8),
    Column("SEEN", lambda w: w.seen_at, drop=3),
]
TYPE_COLUMNS: list[Column[TypeInfo]] = [
    Column("NAME", lambda t: t.name),
    Column("CATEGORY", lambda t: t.category, drop=1),
    Column("DESCRIPTION", lambda t: t.description, least=12),
]
CONFIGURATION_COLUMNS: list[Column[Configuration]] = [
    Column("ID", lambda c: c.id, right=True),
    Column("NAME", lambda c: c.name, least=10),
    Column("TYPE", lambda c: c.type),
    Column("VERSION", lambda c: c.version, right=True),
    Column("UPDATED", lambda c: c.updated_at or c.created_at, drop=1),
]
CONNECTION_COLUMNS: list[Column[Connection]] = [
    Column("NAME", lambda c: c.name),
    Column("KIND", lambda c: c.kind),
    Column("DESCRIPTION", lambda c: c.description, drop=1, least=10),
]


@projects.command(name="list")
def projects_list(*, common: Common | None = None) -> None:
    """List projects."""
    common = common or Common()
    with common.client() as client:
        print_all(
            common.output,
            client.projects.list(),
            PROJECT_COLUMNS,
            lambda p: p.name,
            "There are no projects that you may see.",
        )


@projects.command(name="create")
def projects_create(
    name: Annotated[str, Parameter(help="Lower-case letters, digits, - and _.")],
    /,
    *,
    title: Annotated[str | None, Parameter(help="For people.")] = None,
    weight: Annotated[float | None, Parameter(help="Its part of the workers, relative to others. [default: 1]")] = None,
    common: Common | None = None,
) -> None:
    """Create a project."""
    common = common or Common()
    with common.client() as client:
        made = client.projects.create(name, title=title, weight=weight)
    print_one(common.output, made, lambda p: print(f"Project {p.name} is created."), lambda p: p.name)


@projects.command(name="change")
def projects_change(
    name: Annotated[str, Parameter(help="The project.")],
    /,
    *,
    title: Annotated[str | None, Parameter(help="For people.")] = None,
    weight: Annotated[float | None, Parameter(help="Its part of the workers, relative to others.")] = None,
    common: Common | None = None,
) -> None:
    """Change a project's title or weight."""
    common = common or Common()
    if title is None and weight is None:
        raise UsageError("Nothing is to change.", "Give --title, --weight, or both.")
    with common.client() as client:
        changed = client.projects.change(name, title=title, weight=weight)
    print_one(
        common.output,
        changed,
        lambda p: print(f"Project {p.name}: title '{text.line(p.title)}', weight {p.weight:g}."),
        lambda p: p.name,
    )


@tokens.command(name="list")
def tokens_list(*, common: Common | None = None) -> None:
    """List tokens, without their secrets."""
    common = common or Common()
    with common.client() as client:
        print_all(common.output, client.tokens.list(), TOKEN_COLUMNS, lambda t: t.id, "There are no tokens.")


@tokens.command(name="create")
def tokens_create(
    name: Annotated[str, Parameter(help="What it is for.")],
    /,
    *,
    role: Annotated[Literal["viewer", "operator", "admin"], Parameter(help="What it may do.")],
    whose: Annotated[
        str | None, Parameter(name="--for", help="The principal that gets it. [default: a new one of this name]")
    ] = None,
    expires_in_days: Annotated[int | None, Parameter(help="Days until it expires. [default: never]")] = None,
    common: Common | None = None,
) -> None:
    """Create a token and print it, this once: for --project, or for all projects without."""
    common = common or Common()
    with common.client() as client:
        made = client.tokens.create(
            name, role, project=common.chosen_project, whose=whose, expires_in_days=expires_in_days
        )
    print_one(common.output, made, _show_new_token, lambda t: t.id)


def _show_new_token(made: NewToken) -> None:
    print(made.token)
    scope = f"in project {made.project}" if made.project else "in all projects"
    whose = f" of {made.principal}" if made.principal and made.principal != made.name else ""
    say(f"Token {made.id} '{made.name}'{whose} ({made.role} {scope}). It is shown only now; keep it safe.")


@tokens.command(name="revoke")
def tokens_revoke(*ids: Annotated[int, Parameter(name="ID", help="Token ids.")], common: Common | None = None) -> None:
    """Revoke tokens, at once and for good."""
    common = common or Common()
    with common.client() as client:
        for id_ in ids:
            client.tokens.revoke(id_)
            say(f"Token {id_} is revoked.")


@workers.command(name="list")
def workers_list(*, common: Common | None = None) -> None:
    """List workers and the jobs they run."""
    common = common or Common()
    with common.client() as client:
        print_all(
            common.output,
            client.workers.list(),
            WORKER_COLUMNS,
            lambda w: w.id,
            "No worker is there. `jobdeck worker` or `jobdeck up` starts one.",
        )


@workers.command(name="drain")
def workers_drain(*ids: Annotated[str, Parameter(name="ID", help="Worker ids.")], common: Common | None = None) -> None:
    """Let workers finish what they have and take nothing more."""
    common = common or Common()
    with common.client() as client:
        for id_ in ids:
            drained = client.workers.drain(id_)
            print_one(common.output, drained, lambda w: print(f"Worker {w.id} is {w.state}."), lambda w: w.id)


@types.command(name="list")
def types_list(*, common: Common | None = None) -> None:
    """List the job types that can be run, and those that could not be loaded with the reason."""
    common = common or Common()
    with common.client() as client:
        print_all(common.output, client.types.list(), TYPE_COLUMNS, lambda t: t.name, "No job type is installed.")


@types.command(name="show")
def types_show(
    name: Annotated[str, Parameter(help="Job type.", completer=type_names)], /, *, common: Common | None = None
) -> None:
    """Show a job type and its parameters."""
    common = common or Common()
    with common.client() as client:
        print_one(common.output, client.types.get(name), _show_type, lambda t: t.name)


def _show_type(info: TypeInfo) -> None:
    print(f"{text.line(info.name)}: {text.line(info.description)}")
    if info.broken is not None:
        return
    schema = info.params_schema
    required = set(schema.get("required", ()))
    print_facts((name, _field(field, name in required)) for name, field in schema.get("properties", {}).items())


def _field(field: dict[str, Any], required: bool) -> str:
    """Type or choices of a parameter, what it means, and its default."""
    kinds = [field, *field.get("anyOf", ())]
    kind = " or ".join(_kind(kind) for kind in kinds if {"type", "enum", "$ref"} & kind.keys())
    default = "required" if required else f"default {json.dumps(field.get('default'))}"
    return " ".join(part for part in (kind, field.get("description", ""), f"({default})") if part)


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(str(choice) for choice in schema["enum"])
    return str(schema.get("type", "object"))


@configurations.command(name="list")
def configurations_list(*, common: Common | None = None) -> None:
    """List the project's configurations."""
    common = common or Common()
    with common.client() as client:
        found = client.configurations.list(project=common.project_or_default)
    print_all(
        common.output,
        found,
        CONFIGURATION_COLUMNS,
        lambda c: c.id,
        f"The project {common.project_or_default} has no configurations.",
    )


@configurations.command(name="create")
def configurations_create(
    name: Annotated[str, Parameter(help="Its name.")],
    type: Annotated[str, Parameter(help="Job type.", completer=type_names)],
    /,
    *,
    param: Annotated[
        list[str] | None, Parameter(name=["--param", "-p"], help="name=value, as in `run`.", negative_iterable=())
    ] = None,
    params_json: Annotated[str | None, Parameter(help="All parameters as a JSON object, @FILE, or @-.")] = None,
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


@connections.command(name="list")
def connections_list(*, common: Common | None = None) -> None:
    """List the project's connections, without their secrets."""
    common = common or Common()
    with common.client() as client:
        found = client.connections.list(project=common.project_or_default)
    print_all(
        common.output,
        found,
        CONNECTION_COLUMNS,
        lambda c: c.name,
        f"The project {common.project_or_default} has no connections.",
    )


@connections.command(name="create")
def connections_create(
    name: Annotated[str, Parameter(help="Lower-case letters, digits, -, _ and dots; jobs name objects by it.")],
    kind: Annotated[str, Parameter(help="An installed connector, such as files.")],
    /,
    *,
    option: Annotated[
        list[str] | None,
        Parameter(name="--option", help="name=value, dots for parts: options.region=eu.", negative_iterable=()),
    ] = None,
    secrets_json: Annotated[
        str | None, Parameter(help="Secrets as a JSON object: @FILE, or @- for standard input. Never shown again.")
    ] = None,
    common: Common | None = None,
) -> None:
    """Create a connection to a system that jobs read from or write to."""
    common = common or Common()
    if secrets_json is not None and not secrets_json.startswith("@"):
        raise UsageError("Others could read secrets on the command line.", "Give --secrets-json @FILE, or @-.")
    options = assembled(pairs(option, "--option"), Schema(None))
    secrets = document(secrets_json, "--secrets-json")
    with common.client() as client:
        made = client.connections.create(name, kind, options, secrets, project=common.project_or_default)
    print_one(common.output, made, lambda c: print(f"Connection {c.name} ({c.kind}) is created."), lambda c: c.name)


@connections.command(name="delete")
def connections_delete(
    *names: Annotated[str, Parameter(name="NAME", help="Connections.")], common: Common | None = None
) -> None:
    """Delete connections and their secrets; what is in the systems stays."""
    common = common or Common()
    with common.client() as client:
        for name in names:
            client.connections.delete(name, project=common.project_or_default)
            say(f"Connection {name} is deleted.")
