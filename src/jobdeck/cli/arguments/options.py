"""The options that every command takes, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Group, Parameter

from jobdeck.cli.arguments.completing import projects
from jobdeck.cli.arguments.project import chosen

if TYPE_CHECKING:
    from jobdeck.client import Client

STDIN = "-"
OUTPUTS = ("table", "json", "ids")

Force = Annotated[
    bool, Parameter(help="Also what open jobs or configurations name; those jobs then fail.", negative=())
]
EVERYWHERE = Group("Everywhere", sort_key=100)
VALUED = frozenset({"--url", "--token", "--home", "--project", "--output", "-o"})
"""The options of every command, by the names that stand on the command line; each takes a value."""


@Parameter(name="*", group=EVERYWHERE)
@dataclass(frozen=True)
class Common:
    """Which server, as whom, in which project, and how to print."""

    url: Annotated[
        str | None,
        Parameter(help="The server. [env: JOBDECK_URL, else where HOME was served last, else http://127.0.0.1:8380]"),
    ] = None
    token: Annotated[
        str | None,
        Parameter(help="Access token; better in the environment. [env: JOBDECK_TOKEN, else HOME/admin.token]"),
    ] = None
    home: Annotated[
        Path | None, Parameter(help="Folder of the installation. [env: JOBDECK_HOME, default: ~/.jobdeck]")
    ] = None
    project: Annotated[
        str | None,
        Parameter(help="The project. [env: JOBDECK_PROJECT, default: default]", completer=projects),
    ] = None
    output: Annotated[
        Literal["table", "json", "ids"],
        Parameter(name=["--output", "-o"], help="For people, as the API's JSON, or ids only."),
    ] = "table"

    def client(self) -> Client:
        """A client for the server that was named. A command is not patient: it tries three times within a second."""
        from jobdeck.client import Client

        return Client(self.url, self.token, self.home, attempts=3)

    @property
    def project_or_default(self) -> str:
        """The project for commands that work in one."""
        return self.chosen_project or "default"

    @property
    def chosen_project(self) -> str | None:
        """The project that was named, if any; without one, lists of jobs show all projects."""
        return chosen(self.project)


@contextmanager
def asking(common: Common | None) -> Iterator[tuple[Client, Common]]:
    """A client for as long as the command asks its server, and the options that were given, or the usual ones."""
    common = common or Common()
    with common.client() as client:
        yield client, common


def shown_default(value: object) -> str | None:
    """The default as help shows it; of a flag, and of what has none, nothing."""
    return None if value is None or isinstance(value, bool) else str(value)


def noun(commands: Mapping[str, tuple[str, str]]) -> App:
    """A group of commands about one thing: the one that the file's `COMMANDS` name."""
    ((name, (_, told)),) = commands.items()
    usual = Parameter(negative_iterable=(), negative_none=(), show_default=shown_default)
    return App(name=name, help=told, version_flags=(), default_parameter=usual)


def hoisted(tokens: list[str]) -> list[str]:
    """The command line with the options of every command, where they stand before the verb, put after it."""
    moved: list[str] = []
    rest = list(tokens)
    while rest and rest[0].partition("=")[0] in VALUED:
        moved.append(rest.pop(0))
        if "=" not in moved[-1] and rest:
            moved.append(rest.pop(0))
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *moved, *rest[end:]]
