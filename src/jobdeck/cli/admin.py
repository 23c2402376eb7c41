"""Everything around the jobs: projects, tokens, workers, types."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import types as type_names
from jobdeck.cli.arguments.ids import some
from jobdeck.cli.arguments.options import Common, noun
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.colours import of_state
from jobdeck.cli.show.output import print_all, print_one
from jobdeck.cli.show.table import Column, print_facts

if TYPE_CHECKING:
    from jobdeck.wire.admin import NewToken, Project, Token, TypeInfo, Worker

projects = noun("projects", "List, show, create and change projects.")
tokens = noun("tokens", "List, create and revoke access tokens.")
workers = noun("workers", "List, show, drain and undrain workers.")
types = noun("types", "List and show job types.")

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
    Column("BROWSERS", lambda t: t.sessions or "", drop=5, right=True),
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


@projects.command(name="show")
def projects_show(name: Annotated[str, Parameter(help="The project.")], /, *, common: Common | None = None) -> None:
    """Show a project."""
    common = common or Common()
    with common.client() as client:
        print_one(common.output, client.projects.get(name), _show_project, lambda p: p.name)


def _show_project(found: Project) -> None:
    print(found.name)
    weight, created = f"{found.weight:g}", text.moment(found.created_at)
    print_facts([("title", text.line(found.title)), ("weight", weight), ("created", created)])


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
    print_one(common.output, made, lambda t: print(t.token), lambda t: t.id)
    if common.output != "json":
        _tell_new_token(made, common.output == "ids")


def _tell_new_token(made: NewToken, secret: bool) -> None:
    """What the token is; with `secret` the token, too, which would else be lost: it is never shown again."""
    scope = f"in project {made.project}" if made.project else "in all projects"
    whose = f" of {made.principal}" if made.principal and made.principal != made.name else ""
    say(f"Token {made.id} '{made.name}'{whose} ({made.role} {scope}). It is shown only now; keep it safe.")
    if secret:
        say(made.token)


@tokens.command(name="revoke")
def tokens_revoke(
    *ids: Annotated[int, Parameter(name="ID", help="Token ids.")],
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Revoke tokens, at once and for good, asking first on a terminal; browsers logged in with them are logged out."""
    common = common or Common()
    named = some(ids, "token", "jobdeck tokens list")
    with common.client() as client:
        there = {token.id: token for token in client.tokens.list()}
        own = client.me().token
        if not yes and sys.stdin.isatty() and not _agreed([there.get(id_) for id_ in named], own):
            say("Nothing was revoked.")
            return
        for id_ in sorted(named, key=lambda id_: id_ == own):
            client.tokens.revoke(id_)
            say(f"Token {id_} is revoked.{_went_along(there.get(id_))}")
            if id_ == own:
                say("It is the token of this command: the next one needs another (`jobdeck admin-token` makes one).")


def _agreed(tokens: Sequence[Token | None], own: int | None) -> bool:
    """Whether the person wants it, told whom it hits."""
    for token in tokens:
        if token is not None and token.revoked_at is None:
            browsers = f", {text.counted(token.sessions, 'browser')} logged in with it" if token.sessions else ""
            mine = "; it is the token of this command" if token.id == own else ""
            say(f"  {token.id} {text.line(token.name)} ({token.role}, of {text.line(token.principal)}){browsers}{mine}")
    print("Revoke for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _went_along(token: Token | None) -> str:
    """What ended with the token."""
    count = token.sessions if token is not None and token.revoked_at is None else 0
    return f" {count} {'browsers were' if count > 1 else 'browser was'} logged out with it." if count else ""


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


Whom = Annotated[str, Parameter(name="WORKER", help="Ids, names, or beginnings of them that no other worker has.")]


@workers.command(name="show")
def workers_show(*named: Whom, common: Common | None = None) -> None:
    """Show workers: state, places, job types, the jobs they hold."""
    common = common or Common()
    with common.client() as client:
        for word in some(named, "worker", "jobdeck workers list"):
            print_one(common.output, client.workers.get(word), _show_worker, lambda w: w.id)


@workers.command(name="drain")
def workers_drain(*named: Whom, common: Common | None = None) -> None:
    """Let workers finish what they have and take nothing more, until `workers undrain`."""
    common = common or Common()
    with common.client() as client:
        for word in some(named, "worker", "jobdeck workers list"):
            print_one(common.output, client.workers.drain(word), _show_told, lambda w: w.id)


@workers.command(name="undrain")
def workers_undrain(*named: Whom, common: Common | None = None) -> None:
    """Let drained workers take jobs again."""
    common = common or Common()
    with common.client() as client:
        for word in some(named, "worker", "jobdeck workers list"):
            print_one(common.output, client.workers.undrain(word), _show_told, lambda w: w.id)


def _show_worker(worker: Worker) -> None:
    print(f"{_called(worker)} is {worker.state}.")
    print_facts([
        ("host", worker.host),
        ("version", worker.version),
        ("slots", f"{worker.slots}, and {worker.light_slots} for light jobs"),
        ("running", ", ".join(str(job) for job in worker.running) or "nothing"),
        ("short of", text.line(worker.shortage or "")),
        ("types", ", ".join(worker.types)),
        ("started", text.moment(worker.started_at)),
        ("seen", text.moment(worker.seen_at)),
    ])  # fmt: skip


def _show_told(worker: Worker) -> None:
    left = f"; it has {len(worker.running)} to finish" if worker.running and worker.state == "draining" else ""
    print(f"{_called(worker)} is {worker.state}{left}.")


def _called(worker: Worker) -> str:
    return f"Worker {text.line(worker.name)} ({worker.id})" if worker.name else f"Worker {worker.id}"


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
