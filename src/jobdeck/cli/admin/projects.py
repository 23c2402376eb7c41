"""`jobdeck projects`: rooms for jobs, files and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.exits import UsageError
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn, print_facts

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.admin import Project

COMMANDS = {"projects": ("Administration", "List, show, create and change projects.")}
EXAMPLES = """
jobdeck projects list
jobdeck projects create shop --title 'The shop'
jobdeck projects show shop
jobdeck projects change shop --weight 2
"""

app = noun(COMMANDS)

COLUMNS: list[TableColumn[Project]] = [
    TableColumn("NAME", lambda p: p.name),
    TableColumn("TITLE", lambda p: p.title, drop=1, least=8),
    TableColumn("WEIGHT", lambda p: f"{p.weight:g}", right=True),
    TableColumn("CREATED", lambda p: p.created_at, drop=2),
]

Name = Annotated[str, Parameter(help="The project.")]
Title = Annotated[str | None, Parameter(help="For people.")]
WEIGHT = "Its part of the workers, relative to others."


@lists(app, COLUMNS, lambda p: p.name, "There are no projects that you may see.")
def list_(client: Client, _: Common) -> list[Project]:
    """List projects."""
    return client.projects.list()


@app.command(name="show")
def show(name: Name, /, *, common: Common | None = None) -> None:
    """Show a project."""
    with asking(common) as (client, given):
        print_one(given.output, client.projects.get(name), _show_project, lambda p: p.name)


def _show_project(found: Project) -> None:
    print(found.name)
    weight, created = f"{found.weight:g}", text.moment(found.created_at)
    print_facts([("title", text.line(found.title)), ("weight", weight), ("created", created)])


@app.command(name="create")
def create(
    name: Annotated[str, Parameter(help="Lower-case letters, digits, - and _.")],
    /,
    *,
    title: Title = None,
    weight: Annotated[float | None, Parameter(help=f"{WEIGHT} [default: 1]")] = None,
    common: Common | None = None,
) -> None:
    """Create a project."""
    with asking(common) as (client, given):
        made = client.projects.create(name, title=title, weight=weight)
    print_one(given.output, made, lambda p: print(f"Project {p.name} is created."), lambda p: p.name)


@app.command(name="change")
def change(
    name: Name,
    /,
    *,
    title: Title = None,
    weight: Annotated[float | None, Parameter(help=WEIGHT)] = None,
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
