from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client.contract_server import TOKEN, ContractServer, running


@dataclass(frozen=True)
class Cli:
    """Runs the command line as a process of its own, against one server."""

    url: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("JOBDECK_", "COLUMNS"))}
        mine = {"JOBDECK_URL": self.url, "JOBDECK_TOKEN": TOKEN, "JOBDECK_HOME": str(self.folder / "home"), "TZ": "UTC"}
        return {**clean, **mine, "PYTHONIOENCODING": "utf-8", **more}

    def __call__(self, *words: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "jobdeck.cli.main", *words],
            input=stdin,
            env=self.environment(**more),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same without waiting; for commands that are interrupted."""
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "jobdeck.cli.main", *words],
            env=self.environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Ctrl-C, and how it ended: exit code, output, errors."""
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert "Traceback" not in err
        return process.returncode, out, err


@pytest.fixture
def server() -> Iterator[ContractServer]:
    with running() as started:
        yield started


@pytest.fixture
def cli(server: ContractServer, tmp_path: Path) -> Cli:
    return Cli(server.url, tmp_path)
