"""What README and docs name is there: commands with their options, links, files of the tree, calls of the client."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from jobdeck.client import Client
from tests.architecture.tree import ROOT
from tests.docs.serving import served, typed
from tests.docs.sources import TEXTS, blocks

CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s(|])jobdeck((?: +[^\s|;&#)]+)*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
TREE = re.compile(r"^(?:src|docs|tests|examples|benchmarks|deploy|requirements)/[\w./-]+$")
CALL = re.compile(r"\b(?:client\.)?([a-z]+)\.([a-z_]+)\(")
MADE = {"benchmarks/results/"}
"""What running something makes."""
WHOLE_PROGRAMS = ("python.md", "tables.md")


def code(path: Path) -> list[str]:
    """What stands as code in a text: blocks and spans. Lines that go on are joined."""
    return [(a or b).replace("\\\n", " ") for a, b in CODE.findall(path.read_text(encoding="utf-8"))]


def commands(path: Path) -> list[list[str]]:
    """The words behind `jobdeck` of each command that is named."""
    return [found.split() for text in code(path) for found in COMMAND.findall(text)]


def command_line() -> App:
    app: App = importlib.import_module("jobdeck.cli.main").app
    return app


def faults(words: list[str]) -> Iterator[str]:
    """What of a command is not there."""
    app, named = command_line(), ["jobdeck"]
    rest = list(words)
    while rest and re.fullmatch(r"[a-z][a-z-]*", rest[0]) and rest[0] in set(app):
        named.append(rest[0])
        app = app[rest.pop(0)]
    if app.default_command is None and rest and not rest[0].startswith("-") and not rest[0].isupper():
        yield f"{' '.join(named)} has no '{rest[0]}'"
        return
    if len(named) == 1 or app.default_command is None:
        return
    known = {name for argument in app.assemble_argument_collection() for name in argument.names}
    for word in rest:
        option = re.match(r"--?[a-z][a-z-]*", word)
        if option and option[0] not in known and option[0] != "--help":
            yield f"{' '.join(named)} has no {option[0]}"


def test_the_walk_finds_commands() -> None:
    found = [words for path in TEXTS for words in commands(path)]
    assert len(found) > 100
    assert list(faults(["job", "show", "1"])) == []
    assert list(faults(["job", "shaw", "1"])) == ["jobdeck job has no 'shaw'"]
    assert list(faults(["import", "a.csv", "--intoo", "x"])) == ["jobdeck import has no --intoo"]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_are_there(path: Path) -> None:
    assert [fault for words in commands(path) for fault in faults(words)] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


def anchors(path: Path) -> set[str]:
    """The anchors of a text's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_files_of_the_tree_are_there(path: Path) -> None:
    named = [text for text in code(path) if TREE.fullmatch(text)]
    assert [name for name in named if not (ROOT / name).exists() and name not in MADE] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_calls_of_the_client_are_there(path: Path) -> None:
    client = Client("http://127.0.0.1:1", token="t")
    parts = {name: part for name, part in vars(client).items() if not name.startswith("_")}
    named = [(part, call) for text in code(path) for part, call in CALL.findall(text) if part in parts]
    assert [f"{part}.{call}" for part, call in named if not hasattr(parts[part], call)] == []


def test_nothing_is_said_of_what_comes_later() -> None:
    """A layer for other systems' clients is planned; nobody may look for it."""
    for path in TEXTS:
        assert "compatibility layer" not in path.read_text(encoding="utf-8"), path


def test_the_programs_of_the_texts_run(tmp_path: Path) -> None:
    with served(tmp_path, tmp_path / ".jobdeck") as server:
        for name in WHOLE_PROGRAMS:
            for program in blocks(ROOT / "docs" / name, "python"):
                status, output = typed([sys.executable, "-c", program], tmp_path, server.environment, 250)
                assert status == 0, f"{name}:\n{program}\n{output}"
