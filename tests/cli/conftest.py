from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobdeck.cli.main import run
from tests.client.contract_server import TOKEN, ContractServer, running
from tests.docs.serving import Served


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Shell:
    """Runs the command line as a process of its own, as a person does."""

    url: str
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("JOBDECK_", "COLUMNS"))}
        return {**clean, **_settings(self.url, self.folder), "PYTHONIOENCODING": "utf-8", **more}

    def __call__(self, *words: str, stdin: str = "", **more: str) -> Done:
        process = self.start(*words, **more)
        out, err = process.communicate(stdin, timeout=60)
        assert "Traceback" not in err + out
        return Done(process.returncode, out, err)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """The same without waiting; for commands that are interrupted or read from."""
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "jobdeck.cli.main", *words]
        environment = self.environment(**more)
        return subprocess.Popen(
            command, env=environment, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def interrupt(self, process: subprocess.Popen[str]) -> Done:
        """Ctrl-C, and how it ended."""
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert "Traceback" not in err
        return Done(process.returncode, out, err)


@dataclass(frozen=True)
class Cli:
    """Runs the command line within the test's process, which is quick."""

    url: str
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str, stdin: str = "", folder: Path | None = None, **more: str | None) -> Done:
        """`more`: variables of the environment; one that is None is not set."""
        with self.monkeypatch.context() as patch:
            for name in ("COLUMNS", "JOBDECK_PROJECT"):
                patch.delenv(name, raising=False)
            variables: dict[str, str | None] = {**_settings(self.url, self.folder), **more}
            for name, value in variables.items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            patch.chdir(folder or self.folder)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            self.capsys.readouterr()
            code = _exit_code(list(words))
            out, err = self.capsys.readouterr()
        return Done(code, out, err)


def _exit_code(words: list[str]) -> int:
    try:
        return run(words)
    except SystemExit as end:
        return int(end.code or 0)


def _settings(url: str, folder: Path) -> dict[str, str]:
    return {"JOBDECK_URL": url, "JOBDECK_TOKEN": TOKEN, "JOBDECK_HOME": str(folder / "home"), "TZ": "UTC"}


@pytest.fixture
def server() -> Iterator[ContractServer]:
    with running() as started:
        yield started


@pytest.fixture
def shell(server: ContractServer, tmp_path: Path) -> Shell:
    return Shell(server.url, tmp_path)


@pytest.fixture
def cli(
    server: ContractServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    return Cli(server.url, tmp_path, monkeypatch, capsys)


class QuickShell:
    """Runs the command line within the test's process, which is quick; gives what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.errors = ""
        """What the last command said on standard error."""

    def __call__(self, *words: str, status: int = 0) -> str:
        self._capsys.readouterr()
        found = run(list(words))
        out, self.errors = self._capsys.readouterr()
        assert found == status, out + self.errors
        return out


@pytest.fixture
def jobdeck(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> QuickShell:
    for name, value in server.environment.items():
        if name.startswith("JOBDECK_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return QuickShell(capsys)
