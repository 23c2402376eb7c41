"""What is made of the code: the tables of docs/api.md and docs/cli.md, and the types of the client's parts.

`make tables` writes them; a test says when they are stale. A table stands between `<!-- endpoints: tag, tag -->` or
`<!-- commands: group, command -->` and `<!-- end -->`; what no other names goes to the one that names `others`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any

from cyclopts import App
from fastapi import FastAPI

from jobdeck.api.app import routes
from jobdeck.api.http.described import describe
from jobdeck.cli.commands import commands
from jobdeck.client import finding
from tests.architecture.tree import ROOT

API = ROOT / "docs" / "api.md"
CLI = ROOT / "docs" / "cli.md"
PARTS = ROOT / "src" / "jobdeck" / "client" / "parts.py"
COMMON = {"--url", "--token", "--home", "--project", "--output"}
"""Options of every command that asks a server: they are told once, above the tables."""

FILTERS = "the filters of `jobdeck job counts`"

_MARKED = re.compile(r"(<!-- (endpoints|commands): ([^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
Rows = list[tuple[tuple[str, ...], str]]
"""Each with the words that a marker may name it by, the closest first."""


def filled(text: str) -> str:
    """The page with its tables as the code has it."""
    every = {"endpoints": endpoint_rows, "commands": command_rows}
    named = {word for mark in _MARKED.finditer(text) for word in mark[3].split(", ")}

    def table(mark: re.Match[str]) -> str:
        here = mark[3].split(", ")
        homes = [(_home(words, named), row) for words, row in every[mark[2]]()]
        chosen = [row for word in here for home, row in homes if home == word]
        head = f"\n| {mark[2].removesuffix('s')} | what it does |\n|---|---|\n"
        return f"{mark[1]}{head}{''.join(chosen)}\n{mark[4]}"

    return _MARKED.sub(table, text)


def _home(words: tuple[str, ...], named: set[str]) -> str:
    return next((word for word in words if word in named), "others")


@cache
def endpoint_rows() -> Rows:
    """A row for each operation of the OpenAPI document."""
    app = FastAPI()
    app.router.routes.extend(routes())
    document = describe(app)
    schemas = document["components"]["schemas"]
    return [
        ((operation["tags"][0],), f"| `{method.upper()} {path}` | {_operation(operation, schemas)} |\n")
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def _operation(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    body = _fields(operation, schemas)
    status = next(code for code in operation["responses"] if code.startswith("2"))
    asked = [f"`{p['name']}`" for p in operation.get("parameters", ()) if p["in"] == "query"]
    head = operation["summary"] + (f": `{body}`" if body else "") + (f" → {status}" if status != "200" else "")
    query = f" Query: {', '.join(asked)}." if asked else ""
    refused = operation["responses"].get("409", {}).get("description")
    conflict = f" 409: {refused}" if refused else ""
    return _cell(f"{head}. {operation.get('description', '')}{query}{conflict}")


def _fields(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The fields of a JSON body, those that may be left out with a question mark."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    refs = [one["$ref"] for one in (content, *content.get("anyOf", ())) if "$ref" in one]
    if not refs:
        return ""
    schema = schemas[refs[0].rpartition("/")[2]]
    required = schema.get("required", ())
    names = (name if name in required else f"{name}?" for name in schema.get("properties", {}))
    return f"{{{', '.join(names)}}}"


@cache
def command_rows() -> Rows:
    """A row for each command that does something."""
    root: App = import_module("jobdeck.cli.main").app
    return [
        ((command.name, command.group), row)
        for command in sorted(commands().values(), key=lambda command: command.name)
        for row in _walk(root[command.name], ("job" if command.name == "jobs" else command.name,))
    ]


def _walk(app: App, words: tuple[str, ...]) -> Iterator[str]:
    if app.default_command is not None:
        yield _command(app, words)
    for name in app:
        if not name.startswith("-"):
            yield from _walk(app[name], (*words, name))


def _command(app: App, words: tuple[str, ...]) -> str:
    arguments = [a for a in app.assemble_argument_collection() if a.parse and a.show]
    positional = [a for a in arguments if a.field_info.is_positional]
    options = [a.name for a in arguments if not a.field_info.is_positional and a.name not in COMMON]
    typed = "".join(f" {a.name.lstrip('-').upper()}{'…' if _is_many(a) else ''}" for a in positional)
    text = cleandoc(getattr(app.default_command, "__doc__", None) or app.help).partition("\n\nParameters\n")[0]
    return f"| `jobdeck {' '.join(words)}`{typed} | {_cell(text + _listed(options))} |\n"


def _is_many(argument: Any) -> bool:
    return argument.field_info.kind is argument.field_info.VAR_POSITIONAL


def _listed(options: list[str]) -> str:
    """The options; those that choose jobs, which many commands have, are listed once, where jobs are counted."""
    filters = _filters()
    some = [name for name in options if name not in filters] if set(options) > set(filters) else options
    words = [f"`{name}`" for name in some] + ([FILTERS] if len(some) < len(options) else [])
    return f" Options: {', '.join(words)}." if words else ""


@cache
def _filters() -> list[str]:
    root: App = import_module("jobdeck.cli.main").app
    arguments = root["jobs"]["counts"].assemble_argument_collection()
    return [a.name for a in arguments if a.parse and a.show and a.name not in COMMON]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def parts() -> str:
    """The source of client/parts.py."""
    found = sorted(finding.resources().items())
    lines = sorted(f"    from {part.__module__} import {part.__name__}\n" for _, part in found)
    named = "".join(f"    {name}: {part.__name__}\n" for name, part in found)
    return f'''"""What a client has, typed. Made by `make tables` of the modules here; a test sees when it is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
{"".join(lines)}

class Parts:
    """The parts of a client; their values are found when one is made (`finding.py`)."""

{named}'''


def filled_page(path: Path) -> Callable[[], str]:
    return lambda: filled(path.read_text(encoding="utf-8"))


MADE = {API: filled_page(API), CLI: filled_page(CLI), PARTS: parts}
"""Each file with what it should be."""


def main() -> None:
    for path, make in MADE.items():
        path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
