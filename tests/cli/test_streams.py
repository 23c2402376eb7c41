"""Standard streams that are full, closed or no files, and bytes that are no text: always a message, never a defect."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Shell
from tests.client.contract_server import ContractServer

COMMANDS = ["jobs list", "jobs list -o ids", "types list -o json", "job show {job}", "health", "--help"]


def started(shell: Shell, words: str, redirect: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a shell, with its streams redirected."""
    command = f'exec "{sys.executable}" -m jobdeck.cli.main {words} {redirect}'
    return subprocess.run(
        ["sh", "-c", command], env=shell.environment(), cwd=shell.folder, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_output_that_cannot_be_written_has_its_own_exit_code(shell: Shell, server: ContractServer, words: str) -> None:
    job = server.add_job("succeeded")
    done = started(shell, words.format(job=job), ">/dev/full")
    assert done.returncode == 5, done.stderr
    assert b"The output cannot be written: No space left on device." in done.stderr
    assert b"defect" not in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-", "<&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_failure(shell: Shell, server: ContractServer, redirect: str) -> None:
    server.add_job("succeeded")
    done = started(shell, "jobs list", redirect)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    refused = started(shell, "job show 77", redirect)
    assert refused.returncode == 3


def test_ids_from_a_closed_standard_input_are_none(shell: Shell) -> None:
    done = started(shell, "job show -", "<&-")
    assert done.returncode in (0, 2)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-"])
def test_a_server_starts_and_ends_without_its_streams(tmp_path: Path, redirect: str) -> None:
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
    command = f'exec "{sys.executable}" -m jobdeck.cli.main up --port 0 --home "{home}" {redirect}'
    process = subprocess.Popen(["sh", "-c", command], env=environment, cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        waited = threading.Event()
        for _ in range(600):
            if (home / "admin.token").exists() or process.poll() is not None:
                break
            waited.wait(0.1)
        waited.wait(3)
        assert process.poll() is None
        process.terminate()
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, -15, 130, 143)
    assert b"Assertion" not in err
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "list", "--search", "\udcff"], ["job", "cancel", "1", "--reason", "a\udcffb"],
        ["run", "sleep", "-p", "x=\udce9"], ["--project", "\udcff", "files", "list"], ["job", "show", "\udcff"],
        ["run", "\udcff"], ["files", "upload", "\udcff.csv"], ["types", "show", "\udcff"],
        ["failures", "show", "\udcff"],
        ["tokens", "create", "\udcff", "--role", "viewer"], ["run", "sleep", "--params-json", "@\udcff"],
        ["import", "\udcff.csv", "--into", "lake/a/b"], ["connections", "create", "\udcff", "files"],
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_told(cli: Cli, server: ContractServer, words: list[str]) -> None:
    server.add_job("pending")
    done = cli(*words)
    assert done.returncode in (2, 3), done.stderr
    assert "error:" in done.stderr
    assert "defect" not in done.stderr


def test_a_file_whose_name_is_no_text_is_uploaded(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"a\xff.csv")
    with open(path, "wb") as file:
        file.write(b"a\n1\n")
    done = cli("files", "upload", os.fsdecode(path), "-o", "ids")
    assert done.returncode == 0, done.stderr
    (upload,) = server.requests("POST", "/projects/default/files")
    assert "a\ufffd.csv".encode() in upload.body


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_uploaded_under_a_name(shell: Shell, server: ContractServer, name: str) -> None:
    nameless = shell("files", "upload", name, stdin="a\n1\n")
    assert nameless.returncode == 2
    assert "--name" in nameless.stderr
    done = shell("files", "upload", name, "--name", "orders.csv", stdin="a\n1\n")
    assert done.returncode == 0, done.stderr
    (upload,) = server.requests("POST", "/projects/default/files")
    assert b'filename="orders.csv"' in upload.body
    assert b"a\n1\n" in upload.body


def test_what_comes_by_a_fifo_is_uploaded(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.csv"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(b"a\n7\n"))
    writer.start()
    done = cli("files", "upload", str(fifo))
    writer.join(10)
    assert done.returncode == 0, done.stderr
    (upload,) = server.requests("POST", "/projects/default/files")
    assert b"a\n7\n" in upload.body


@pytest.mark.parametrize(("words", "told"), [
    (["files", "upload", "."], "is a folder"), (["files", "upload", "nowhere.csv"], "is not a file here"),
    (["files", "upload", "a", "b", "--name", "c"], "--name is for one file"),
])  # fmt: skip
def test_what_is_no_file_is_not_uploaded(cli: Cli, words: list[str], told: str) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert told in done.stderr


def test_colours_of_programs_are_left_out_for_people_and_kept_for_programs(cli: Cli, server: ContractServer) -> None:
    from jobdeck.cli.show import text

    for line, seen in {
        "\x1b[31mred\x1b[0m": "red", "\x1b[1;38;5;196mx\x1b[m": "x", "a\x1b[2Kb": "ab", "\x1b]0;title\x07t": "t",
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link", "\x9b31mc": "c", "\x1b(Bq": "q", "\x1b[?25lh": "h",
    }.items():  # fmt: skip
        assert text.plain(line) == seen
    assert text.plain("\x1b broken \x1b[") == "� broken �["


def test_a_token_that_cannot_be_read_is_told(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    """A folder in its place stands for what the administrator may not read: tests may run as one who may."""
    (tmp_path / "home" / "admin.token").mkdir(parents=True)
    done = cli("jobs", "list", JOBDECK_TOKEN=None)
    assert done.returncode == 3, done.stderr
    assert f"{tmp_path / 'home' / 'admin.token'} cannot be read: Is a directory." in done.stderr
