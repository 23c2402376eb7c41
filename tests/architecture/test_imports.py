"""Doors lead one way: the import rules of pyproject.toml hold."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from tests.architecture.tree import ROOT, parsed, python_files, relative

LAYERS = [
    "cli",
    "client",
    "api",
    "services",
    "engine",
    "access",
    "store",
    "executors",
    "jobs",
    "connectors",
    "wire",
    "core",
]


def test_import_rules_hold() -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_import_rules_see_every_module() -> None:
    """Import-linter passes over folders without an `__init__.py` but in a root of their own, as pages have one."""
    roots = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    seen = {module.replace(".", "/") for module in grimp.build_graph(*roots, cache_dir=None).modules}
    files = [path.relative_to(ROOT / "src") for path in python_files("src") if "versions" not in path.parts]
    assert not [path for path in files if str(path.with_suffix("")).removesuffix("/__init__") not in seen]


HEAVY = {
    "jobdeck.connectors",
    "jobdeck.connectors.lake",
    "jobdeck.connectors.lake.sweep",
    "jobdeck.jobs.import_checks",
    "jobdeck.jobs.import_preview",
    "jobdeck.jobs.import_work",
}
"""Our own modules that stand for heavy drivers: they load pyarrow and deltalake, which a server long does without."""


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_exists(layer: str) -> None:
    """The rules are about these packages; a rule about a package that was renamed would guard nothing."""
    assert python_files(f"src/jobdeck/{layer}")


@pytest.mark.parametrize("path", python_files("src"), ids=relative)
def test_imports_inside_functions_are_of_other_packages(path: Path) -> None:
    """Our own modules are imported at the top; inside a function only an optional or heavy driver is.

    The command line, which must start quickly, and the package's own lazy names are the exceptions."""
    if path.is_relative_to(ROOT / "src/jobdeck/cli") or path == ROOT / "src/jobdeck/__init__.py":
        return
    functions = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    hidden = {
        f"{function.name}: {module}"
        for function in functions
        for node in ast.walk(function)
        for module in _modules(node)
        if module.split(".")[0] == "jobdeck" and module not in HEAVY
    }
    assert not hidden


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
