"""A real server for the texts' commands: `jobdeck up` in a home of its own, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobdeck.client import Client, Unreachable

PATIENCE = 120.0


@dataclass(frozen=True)
class Served:
    """A server that answers, and the environment in which the texts' commands find it."""

    url: str
    home: Path
    environment: dict[str, str]

    def client(self) -> Client:
        return Client(self.url, home=self.home)


@contextmanager
def served(folder: Path, home: Path, *options: str) -> Iterator[Served]:
    """`jobdeck up` in `folder`, with `home` as its home; stopped at the end of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "JOBDECK_HOME": str(home),
        "JOBDECK_URL": url,
    }
    log = folder / "server.log"
    command = [sys.executable, "-P", "-m", "jobdeck.cli.main", "up", f"--port={port}", *options]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            await_health(url, home, process, log)
            yield Served(url, home, environment)
        finally:
            process.terminate()
            process.wait(120)


def typed(command: list[str], folder: Path, environment: dict[str, str], seconds: float) -> tuple[int, str]:
    """Exit status and all output of `command`; after `seconds` it is killed with all that it started."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return -signal.SIGKILL, f"{output}\n(killed after {seconds:g} s)"
        return process.returncode, output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_health(url: str, home: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with Client(url, home=home, attempts=1) as client:
                client.health()
                return
        except Unreachable:
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, f"the server did not answer; it said:\n{log.read_text(errors='replace')}"
            time.sleep(0.05)
