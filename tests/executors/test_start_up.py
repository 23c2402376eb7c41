"""A child process starts quickly because it imports little."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["sqlalchemy", "fastapi", "pyarrow", "deltalake", "duckdb", "obstore", "structlog", "psutil", "asyncio", "rich"]


def _imported_by(module: str) -> set[str]:
    program = f"import sys, importlib; importlib.import_module({module!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_child_imports_nothing_heavy() -> None:
    modules = _imported_by("jobdeck.executors.child.__main__")
    assert "pydantic" in modules
    assert not modules & set(HEAVY)


def test_a_guardian_imports_next_to_nothing() -> None:
    modules = _imported_by("jobdeck.executors.guardian")
    assert not modules & {*HEAVY, "pydantic", "json", "subprocess"}
