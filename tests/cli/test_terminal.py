from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.cli.conftest import Shell
from tests.client.contract_server import ContractServer


class Terminal:
    """A command that believes it runs on a terminal; collects what it draws."""

    def __init__(self, shell: Shell, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "jobdeck.cli.main", *words]
        environment = shell.environment(TERM="xterm-256color", COLUMNS="100", LINES="30")
        self.process = subprocess.Popen(
            command, env=environment, cwd=shell.folder, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self._grew = threading.Condition()
        self._drawn = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # the last writer has gone
                piece = b""
            with self._grew:
                self._drawn += piece
                self._grew.notify_all()
            if not piece:
                return

    def wait_for(self, words: str) -> None:
        with self._grew:
            assert self._grew.wait_for(lambda: words.encode() in self._drawn, timeout=90), self._drawn.decode()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> tuple[int, str]:
        code = self.process.wait(timeout=90)
        self._reader.join(timeout=90)
        os.close(self._ours)
        return code, self._drawn.decode()


def test_watch_draws_bars(shell: Shell, server: ContractServer) -> None:
    id_ = server.add_job("running", progress={"fraction": 0.5, "done": 1, "total": 2, "unit": "files"})
    server.steps[id_] = [{"index": 0, "name": "load", "state": "running", "progress": {"fraction": 0.5}}]
    terminal = Terminal(shell, "job", "watch", str(id_))
    terminal.wait_for("load")
    server.steps[id_][0]["state"] = "succeeded"
    server.change(id_, state="succeeded", progress={"fraction": 1.0, "done": 2, "total": 2, "unit": "files"})
    code, drawn = terminal.end()
    assert code == 0
    for words in ("50 %", "1 / 2 files", "▶ load", "✔ succeeded", "100 %"):
        assert words in drawn


def test_ctrl_c_leaves_the_bars_and_the_job(shell: Shell, server: ContractServer) -> None:
    id_ = server.add_job("running")
    terminal = Terminal(shell, "job", "watch", str(id_))
    terminal.wait_for("running")
    terminal.process.send_signal(signal.SIGINT)
    code, drawn = terminal.end()
    assert code == 130
    assert f"jobdeck job watch {id_}" in drawn
    assert "\x1b[?25h" in drawn, "the cursor is to be seen again"
    assert "Traceback" not in drawn


def test_an_upload_draws_a_bar(shell: Shell, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "[red]x.csv").write_bytes(b"x" * 3_000_000)
    code, drawn = Terminal(shell, "import", "[red]x.csv", "--into", "lake/a/b").end()
    assert code == 0, drawn
    assert "[red]x.csv" in drawn
    assert "3.0/3.0 MB" in drawn
    assert server.jobs[1]["params"]["files"] == ["file:1"]


def test_delete_asks_first(shell: Shell, server: ContractServer) -> None:
    id_ = server.add_job("failed")
    terminal = Terminal(shell, "job", "delete", str(id_))
    terminal.wait_for("[y/N]")
    terminal.type("n\n")
    assert terminal.end()[0] == 0
    assert id_ in server.jobs
    assert Terminal(shell, "job", "delete", str(id_), "--yes").end()[0] == 0
    assert id_ not in server.jobs
