"""A migration that was applied somewhere never changes: neither its file nor anything that it runs."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from tests.architecture.tree import PACKAGE, parsed, relative

MIGRATIONS = PACKAGE / "store" / "migrations"
FROZEN = Path(__file__).with_name("frozen_migrations.txt")
"""`SHA-256  file`, a line for each file that belongs to a migration. Only lines are added here."""


def files() -> list[Path]:
    return sorted(path for path in MIGRATIONS.rglob("*.py") if path.name not in ("__init__.py", "env.py"))


def test_migrations_are_added_and_never_rewritten() -> None:
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {relative(path)}" for path in files()]
    assert "\n".join(lines) + "\n" == FROZEN.read_text(), "add a migration, and its line to frozen_migrations.txt"


def test_migrations_run_no_code_that_may_change() -> None:
    live = [
        f"{relative(path)}: {name}"
        for path in files()
        for name in imported(path)
        if name.startswith("jobdeck") and not name.startswith("jobdeck.store.migrations")
    ]
    assert live == []


def imported(path: Path) -> list[str]:
    """The modules that the file names in its imports."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found
