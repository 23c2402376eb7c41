"""What pyproject.toml promises is there, and it asks for what is used."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from typing import Any

import pytest

from tests.architecture.tree import ROOT, parsed, python_files

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
NAMES = {"multipart": "python-multipart", "prometheus_client": "prometheus-client"}
"""Modules whose distribution has another name."""
INDIRECT = {"starlette": "fastapi", "pydantic_core": "pydantic", "arro3": "deltalake", "typing_extensions": "pydantic"}
"""Modules that come with a distribution that is asked for, as a documented part of it."""


def _targets() -> list[str]:
    groups = [PROJECT["scripts"], *PROJECT["entry-points"].values()]
    return [target for group in groups for target in group.values()]


@pytest.mark.parametrize("target", _targets())
def test_entry_point_leads_somewhere(target: str) -> None:
    module, _, name = target.partition(":")
    assert hasattr(importlib.import_module(module), name)


def test_every_import_is_asked_for() -> None:
    asked = {_name(requirement) for requirement in PROJECT["dependencies"]}
    asked |= {_name(r) for extra in PROJECT["optional-dependencies"].values() for r in extra}
    missing = {module for module in _imported() if _distribution(module) not in asked}
    assert not missing


def test_every_requirement_is_bounded_below_and_above() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    groups += [[r for r in group if isinstance(r, str)] for group in PYPROJECT["dependency-groups"].values()]
    open_ended = [r for group in groups for r in group if not r.startswith("jobdeck[") and not re.search(r">=.*,<", r)]
    assert not open_ended


def test_ruff_exceptions_give_their_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    first = lines.index("ignore = [")
    last = lines.index("]", first)
    assert last > first + 1
    assert not [line for line in lines[first + 1 : last] if not re.search(r"#\s.{6,}", line)]


def test_license_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    for part in ("Version 2.0, January 2004", "9. Accepting Warranty", "END OF TERMS AND CONDITIONS", "APPENDIX"):
        assert part in text


def _imported() -> set[str]:
    found: set[str] = set()
    for path in python_files("src"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
    return found - set(sys.stdlib_module_names) - {"jobdeck"}


def _distribution(module: str) -> str:
    return INDIRECT.get(module) or NAMES.get(module) or module.replace("_", "-")


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0]
