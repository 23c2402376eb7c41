"""The commands, found in the files of this folder without importing them, so that the program starts quickly.

A file that has commands says so at its top, in two plain values: the table `COMMANDS` (name → group and help) and the
text `EXAMPLES`, of which `--help` shows the lines that begin with the command's words. They are read as text. What is
imported, when it is used: the noun `app` of the file, or where it has none the function of the command's name, with `_`
for `-`."""

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

_OF_NOUN = 3
"""Lines of its file that the help of a noun shows."""
_ALIASES = {"job": "jobs"}

_TABLE = re.compile(r"^COMMANDS = (\{.*?\})$", re.MULTILINE | re.DOTALL)
_EXAMPLES = re.compile(r'^EXAMPLES = """\n(.*?)^"""$', re.MULTILINE | re.DOTALL)
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
    lines: tuple[str, ...]
    """The examples of it and its verbs."""

    @property
    def place(self) -> str:
        """Where it is: `module:name`."""
        name = self.name.replace("-", "_")
        return f"{self.module}:{'app' if self.is_noun else f'{name}_' if iskeyword(name) else name}"

    @property
    def examples(self) -> dict[str, tuple[str, ...]]:
        """The lines by the words that they are an example of; for the noun itself the first ones."""
        verbs = {_verb(line) for line in self.lines} - {""} if self.is_noun else set()
        of_verbs = {f"{self.name} {verb}": _with(verb, self.lines) for verb in sorted(verbs)}
        return {self.name: self.lines[:_OF_NOUN] if self.is_noun else self.lines} | of_verbs


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
    table = _TABLE.search(source)
    if table is None:
        return
    words = path.relative_to(FOLDER).with_suffix("").parts
    module = ".".join(("jobdeck.cli", *(word for word in words if word != "__init__")))
    is_noun = _NOUN.search(source) is not None
    written = _EXAMPLES.search(source)
    lines = written[1].splitlines() if written else []
    for name, (group, told) in literal_eval(table[1]).items():
        own = tuple(line for line in lines if canonical(line.split()[1]) == name)
        yield CliCommand(name, group, told, module, is_noun, own)


def _verb(line: str) -> str:
    """The word behind the noun; empty where it is left out."""
    words = line.split()[2:3]
    return "" if not words or words[0].startswith("-") else words[0]


def _with(verb: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for line in lines if _verb(line) == verb)


def canonical(word: str) -> str:
    """The command that a word stands for: `job` is `jobs`."""
    return _ALIASES.get(word, word)


def examples() -> dict[str, tuple[str, ...]]:
    """The examples of every command, by its words; the empty ones are `jobdeck` itself."""
    found: dict[str, tuple[str, ...]] = {"": ROOT}
    for command in commands().values():
        found |= command.examples
    return found


def epilogue(words: tuple[str, ...]) -> str:
    """The end of a command's help: its examples."""
    path = " ".join(map(canonical, words))
    command = commands().get(path.partition(" ")[0])
    lines = ROOT if not words else command.examples.get(path, ()) if command is not None else ()
    return "Examples:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
