"""What the code offers, read from the code, for the tests that look for it in the texts."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import jobdeck
from jobdeck.api.http import problem
from jobdeck.core.errors import JobdeckError
from tests.architecture.tree import ROOT, parsed, python_files

TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

CONFORMANCE_KIT = {"jobdeck.executors.probe"}
"""Job types that only the tests of executors run."""


def texts() -> str:
    """Everything a person can read about Jobdeck, in one string."""
    return "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)


def error_codes() -> set[str]:
    """The code of every error class, and those that are written out where an error is recorded."""
    for module in pkgutil.walk_packages(jobdeck.__path__, "jobdeck."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
    named = {cls.code for cls in _subclasses(JobdeckError)}
    written = {*_literals("ErrorInfo", 0), *_keywords("ErrorInfo", "code"), *_literals("plain", 1)}
    return named | written | set(problem.CODES.values())


def event_kinds() -> set[str]:
    """The kind of every event: those of transitions, which are about jobs, and those that are written out.

    A kind that is put together, like `step.` and a state, is given by its beginning."""
    return {
        *_literals("Transition", 1),
        *_literals("NewEvent", 0),
        *_keywords("NewEvent", "kind"),
        *_literals("_event", 0),
    }


def _subclasses(cls: type[JobdeckError]) -> Iterator[type[JobdeckError]]:
    yield cls
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("jobdeck.") and sub.__module__ not in CONFORMANCE_KIT:
            yield from _subclasses(sub)


def _calls(name: str) -> Iterator[ast.Call]:
    for path in python_files("src"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and _called(node.func) == name:
                yield node


def _called(function: ast.expr) -> str | None:
    """The last word of what is called: `plain` of `problem.plain(…)`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def _literals(name: str, position: int) -> Iterator[str]:
    """The strings given as the argument at `position` of calls of `name`."""
    for call in _calls(name):
        if len(call.args) > position:
            yield from _strings(call.args[position])


def _keywords(name: str, keyword: str) -> Iterator[str]:
    for call in _calls(name):
        for given in call.keywords:
            if given.arg == keyword:
                yield from _strings(given.value)


def _strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from _strings(node.values[0])
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)


def is_named_in(text: str, word: str) -> bool:
    """Whether `word` stands in `text` as code; a word that ends in `_` or `.` is the beginning of one."""
    return f"`{word}" in text if word.endswith(("_", ".")) else f"`{word}`" in text


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of `language` in a Markdown file, in order."""
    found: list[str] = []
    inside: list[str] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if inside is None and line.strip() == f"```{language}":
            inside = []
        elif inside is not None and line.strip() == "```":
            found.append("\n".join(inside) + "\n")
            inside = None
        elif inside is not None:
            inside.append(line)
    return found
