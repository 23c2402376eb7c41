from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Shell
from tests.client.contract_server import ContractServer, Fault


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("canceled", 1), ("paused", 1)])
def test_watch_ends_as_the_job_did(shell: Shell, server: ContractServer, state: str, code: int) -> None:
    error = {"code": "bad_row", "message": "Row 7 of 'x.csv': 'abc' is no number.", "hint": "Mend it and resume."}
    then = {"state": state, "error": error if state == "failed" else None}
    id_ = server.add_job("pending", then=["running", then])
    done = shell("job", "watch", str(id_))
    assert done.returncode == code
    assert state in done.stdout
    if state == "failed":
        assert "Row 7 of 'x.csv'" in done.stderr
        assert "hint: Mend it and resume." in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["job", "show"], "No job id"),
        (["job", "show", "seven"], "'seven' is not a job id"),
        (["job", "show", "7", "--nope"], "nope"),
        (["jobs", "list", "-o", "xml"], "xml"),
        (["nothing"], "nothing"),
        (["run"], "TYPE"),
        (["run", "sleep", "--param", "seconds"], "'seconds' is not a parameter"),
        (["run", "sleep", "--params-json", "{"], "not JSON"),
        (["run", "sleep", "--params-json", "[1]"], "not a JSON object"),
        (["run", "sleep", "--params-json", "@missing.json"], "missing.json"),
        (["run", "sleep", "--priority", "12"], "priority"),
        (["run", "sleep", "--not-before", "soon"], "'soon' is not a time"),
        (["import", "missing.csv", "--into", "lake/a/b"], "'missing.csv' does not exist here"),
        (["import", ".", "--into", "lake/a/b"], "is a folder"),
        (["--url", "nonsense", "health"], "'nonsense' is not the address of a server"),
    ],
)
def test_a_wrong_command_line_is_2_and_sends_nothing(
    cli: Cli, server: ContractServer, words: list[str], told: str
) -> None:
    done = cli(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert not server.seen


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["job", "cancel", "1"], "Job 1 cannot be canceled: it has succeeded."),
        (["job", "show", "77"], "There is no job 77."),
        (["run", "nonsense"], "There is no job type 'nonsense'."),
        (["run", "sleep", "-p", "seconds=many"], "params.seconds: not a number"),
    ],
)
def test_a_refusal_is_3_and_told_once(cli: Cli, server: ContractServer, words: list[str], told: str) -> None:
    server.add_job("succeeded")
    done = cli(*words)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count(told) == 1


def test_a_wrong_token_is_3_and_never_shown(shell: Shell) -> None:
    done = shell("jobs", "list", "--token", "jd_wrong_secret")
    assert done.returncode == 3
    assert "A token is needed." in done.stderr
    assert "jd_wrong_secret" not in done.stderr


def test_nobody_there_is_4_and_names_the_next_step(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = shell("jobs", "list", JOBDECK_URL=f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (done.returncode, done.stdout) == (4, "")
    assert "No Jobdeck server answers" in done.stderr
    assert "jobdeck up" in done.stderr


def test_a_server_that_fails_is_4(cli: Cli, server: ContractServer) -> None:
    server.faults = [Fault("GET", "/jobs", "500")]
    done = cli("jobs", "list")
    assert (done.returncode, done.stdout) == (4, "")
    assert "busy" in done.stderr


def test_several_ids_go_on_after_a_refusal(shell: Shell, server: ContractServer) -> None:
    server.add_job("succeeded")
    server.add_job("running")
    done = shell("job", "cancel", "1", "2")
    assert done.returncode == 3
    assert "Job 2: ■ canceled" in done.stdout
    assert server.jobs[2]["state"] == "canceled"


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(shell: Shell, server: ContractServer) -> None:
    id_ = server.add_job("running")
    process = shell.start("job", "watch", str(id_))
    assert process.stdout is not None
    assert "running" in process.stdout.readline()
    done = shell.interrupt(process)
    assert done.returncode == 130
    assert f"jobdeck job watch {id_}" in done.stderr
    assert server.jobs[id_]["state"] == "running"


def test_a_reader_that_leaves_early_is_no_error(shell: Shell, server: ContractServer) -> None:
    for _ in range(400):
        server.add_job(description="x" * 300)
    process = shell.start("jobs", "list", "--limit", "400")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), err) == (0, "")


def test_help_tells_the_exit_codes_and_every_place_of_help_is_reachable(shell: Shell) -> None:
    done = shell("--help")
    assert done.returncode == 0
    for words in ("the server refused", "the command line is wrong", "--install-completion", "jobs (job)"):
        assert words in done.stdout
    assert "--project" in shell("jobs", "list", "--help").stdout


def test_completion_is_installed(shell: Shell, tmp_path: Path) -> None:
    done = shell("--install-completion", "--shell", "bash", HOME=str(tmp_path), SHELL="/bin/bash")
    assert done.returncode == 0, done.stderr
    assert any("jobdeck" in path.name for path in tmp_path.rglob("*") if path.is_file())


def test_a_wrong_command_line_is_told_by_the_process_too(shell: Shell) -> None:
    done = shell("jobs", "list", "-o", "xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "xml" in done.stderr


def test_a_refusal_is_told_by_the_process_too(shell: Shell, server: ContractServer) -> None:
    server.add_job("succeeded")
    done = shell("job", "cancel", "1")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "error: Job 1 cannot be canceled: it has succeeded.\nhint: It can be deleted.\n"
