"""What the texts name is there: every command with its options, and every file that is linked."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cyclopts import App

from jobdeck.cli.arguments.mistakes import commands_of
from jobdeck.cli.arguments.options import hoisted
from jobdeck.cli.main import app
from tests.architecture.tree import ROOT

TEXTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
BETWEEN = re.compile(r"[|;&<>()]+")
COMMAND = re.compile(r"(?<![\w./-])jobdeck( .+)")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def code_of(path: Path) -> list[str]:
    """What stands in code: inline, each by itself, and line by line in blocks."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|console|bash)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [*lines, *inline]


def typed(code: str) -> list[list[str]]:
    """The words after each `jobdeck` of a piece of code."""
    found = []
    for piece in BETWEEN.split(code):
        if match := COMMAND.search(piece):
            try:
                found.append(shlex.split(match[1], comments=True))
            except ValueError:  # a quote that is closed in another piece
                found.append(match[1].split())
    return found


def wrong_in(words: list[str]) -> str | None:
    """What of a command line does not exist: the command, or an option of it."""
    names, apps, rest = app.parse_commands([word for word in hoisted(words) if word != "--help"])
    under: App = apps[-1]
    if commands_of(under) and rest and re.fullmatch(r"[a-z][a-z-]+", rest[0]):
        return f"no command {' '.join((*names, rest[0]))}"
    if under.default_command is None:
        return None
    known = {name for argument in under.assemble_argument_collection() for name in argument.names}
    options = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    return next((f"{' '.join(names)} has no {option}" for option in options if option not in known), None)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_command_that_is_named_is_there(path: Path) -> None:
    wrong = [wrong_in(words) for code in code_of(path) for words in typed(code) if words]
    assert not [what for what in wrong if what]


def test_the_search_finds_what_is_not_there() -> None:
    assert typed("a=$(jobdeck run sleep --wait) && jobdeck jobs lst | head") == [
        ["run", "sleep", "--wait"],
        ["jobs", "lst"],
    ]
    assert wrong_in(["jobs", "lst"]) == "no command jobs lst"
    assert wrong_in(["jobs", "list", "--stat", "x"]) == "jobs list has no --stat"
    assert wrong_in(["jobs", "list", "--state", "x", "-o", "ids"]) is None


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_file_that_is_linked_is_there(path: Path) -> None:
    assert not [link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
