"""A real server with a worker, as a process of its own, and short words for what tests of pages do with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from jobdeck.client import Client
from jobdeck.core.home import ADMIN_TOKEN
from jobdeck.wire.admin import Role
from tests.docs.serving import await_health, free_port


@dataclass
class Deck:
    """`jobdeck up` in a home of its own, on a free port. Tests that share it use projects of their own."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        """The name of its session cookie."""
        return f"jobdeck_session_{self.port}"

    @property
    def admin(self) -> str:
        """The administrator's token."""
        return (self.home / ADMIN_TOKEN).read_text().strip()

    @property
    def log(self) -> str:
        """What the server has said so far."""
        return (self.home / "server.log").read_text(errors="replace")

    @classmethod
    @contextmanager
    def running(cls, home: Path, settings: dict[str, str] | None = None) -> Iterator[Self]:
        """One that answers, until the end of the block."""
        made = cls(home, settings or {})
        made.start()
        try:
            yield made
        finally:
            made.stop()

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self.home.mkdir(parents=True, exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
        command = [sys.executable, "-m", "jobdeck.cli.main", "up", f"--port={self.port}", "--workers=2"]
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.home,
                env={**clean, "JOBDECK_HOME": str(self.home), **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        await_health(self.url, self.home, self._process, self.home / "server.log")

    def stop(self, *, hard: bool = False) -> None:
        """Stop it in good order, or (`hard`) as if the power had gone."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        self._process.wait(30)
        self._process = None

    def client(self, token: str | None = None) -> Client:
        """A client with the administrator's token, or another one."""
        return Client(self.url, token or self.admin, home=self.home)

    def token(self, name: str, role: Role = "admin", project: str | None = None) -> str:
        """A new token."""
        with self.client() as client:
            return client.tokens.create(name, role, project=project).token

    def project(self) -> str:
        """The name of a new project, so that a test sees only jobs of its own."""
        name = f"p{uuid.uuid4().hex[:10]}"
        with self.client() as client:
            client.projects.create(name)
        return name
