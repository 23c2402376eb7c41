"""The commands, found in the files of this folder without importing them, so that the program starts quickly.

A file that has commands says so at its top, in two plain tables: `COMMANDS` (name → group and help) and `EXAMPLES`
(words → lines for `--help`). They are read as text. What is imported, when it is used: the noun `app` of the file, or
where it has none the function of the command's name, with `_` for `-`."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from keyword import iskeyword
from pathlib import Path

from jobdeck.core.modules import FoundTwice

FOLDER = Path(__file__).resolve().parent
ROOT = ("jobdeck up", "jobdeck import orders.csv --into lake/shop/orders --wait", "jobdeck jobs list --state failed")
"""Examples of the program itself."""

_TABLE = re.compile(r"^(COMMANDS|EXAMPLES) = (\{.*?^\})$", re.MULTILINE | re.DOTALL)
_NOUN = re.compile(r"^app = ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CliCommand:
    """One word behind `jobdeck`."""

    name: str
    group: str
    help: str
    module: str
    is_noun: bool
    """Whether further words follow it: `pauses list`."""
    examples: str
    """The table of its file, as it is written."""

    @property
    def place(self) -> str:
        """Where it is: `module:name`."""
        name = self.name.replace("-", "_")
        return f"{self.module}:{'app' if self.is_noun else f'{name}_' if iskeyword(name) else name}"


@cache
def commands() -> dict[str, CliCommand]:
    """Every command, by name. Raises FoundTwice where two files have one of the same name."""
    return by_name(command for path in sorted([*FOLDER.glob("*.py"), *FOLDER.glob("*/*.py")]) for command in _of(path))


def by_name(found: Iterable[CliCommand]) -> dict[str, CliCommand]:
    every: dict[str, CliCommand] = {}
    for command in found:
        if command.name in every:
            raise FoundTwice(f"The command {command.name}", every[command.name].module, command.module)
        every[command.name] = command
    return every


def _of(path: Path) -> Iterator[CliCommand]:
    source = path.read_text(encoding="utf-8")
    tables = dict(_TABLE.findall(source))
    if "COMMANDS" not in tables:
        return
    words = path.relative_to(FOLDER).with_suffix("").parts
    module = ".".join(("jobdeck.cli", *(word for word in words if word != "__init__")))
    is_noun = _NOUN.search(source) is not None
    for name, (group, told) in literal_eval(tables["COMMANDS"]).items():
        yield CliCommand(name, group, told, module, is_noun, tables.get("EXAMPLES", "{}"))


def examples() -> dict[str, tuple[str, ...]]:
    """The examples of every command, by its words; the empty ones are `jobdeck` itself."""
    tables = {command.examples for command in commands().values()}
    return {"": ROOT} | {words: lines for table in sorted(tables) for words, lines in literal_eval(table).items()}


def epilogue(words: tuple[str, ...]) -> str:
    """The end of a command's help: its examples."""
    path = " ".join("jobs" if word == "job" else word for word in words)
    command = commands().get(path.partition(" ")[0])
    lines = ROOT if not words else literal_eval(command.examples).get(path, ()) if command is not None else ()
    return "Examples:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
