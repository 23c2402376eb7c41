"""Rooms are small: files, functions and folders stay within their bounds, and everything says what it is."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, parsed, python_files, relative

MAX_FILE = 500
MAX_FUNCTION = 60
MAX_FOLDER = 16
MIGRATIONS = PACKAGE / "store" / "migrations" / "versions"
"""A migration is one function, as long as what it has to say; it is written once and never changed."""
CATCH_ALLS = {"util", "utils", "helper", "helpers", "common", "misc", "tools"}


@pytest.mark.parametrize("path", python_files(), ids=relative)
def test_file_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE, f"{lines} lines; a file does one thing, split it"


@pytest.mark.parametrize("path", [path for path in python_files() if path.parent != MIGRATIONS], ids=relative)
def test_functions_are_short(path: Path) -> None:
    functions = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert not {name: length for name, length in lengths.items() if length > MAX_FUNCTION}


@pytest.mark.parametrize("path", python_files("src"), ids=relative)
def test_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), "no docstring at the top"


def test_every_package_has_an_init_with_a_docstring() -> None:
    folders = {path.parent for path in python_files("src")}
    pages = PACKAGE / "web" / "pages"
    packages = {f for f in folders if "migrations" not in f.parts and not f.is_relative_to(pages)}
    missing = [relative(folder) for folder in packages if not (folder / "__init__.py").is_file()]
    assert not missing


def test_nothing_is_a_catch_all() -> None:
    found = [relative(path) for path in python_files() if path.stem in CATCH_ALLS or path.parent.name in CATCH_ALLS]
    assert not found, "a module is named after the one thing it does"


def test_folders_are_small() -> None:
    sizes = Counter(path.parent for path in python_files("src"))
    assert not {relative(folder): size for folder, size in sizes.items() if size > MAX_FOLDER}


def test_the_package_is_where_it_is_looked_for() -> None:
    assert PACKAGE.is_dir()
    assert len(python_files("src")) > 10
    assert (ROOT / "pyproject.toml").is_file()
