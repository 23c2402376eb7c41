"""What is typed wrongly is told in one style: what is wrong, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.client.contract_server import ContractServer


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("users", "'users' is no command of `jobdeck`.", "Did you mean 'tokens'?"),
        ("schedules", "'schedules' is no command of `jobdeck`.", "`jobdeck --help` shows"),
        ("imprt a.csv", "'imprt' is no command of `jobdeck`.", "Did you mean 'import'?"),
        ("jobs ls", "'ls' is no command of `jobdeck jobs`.", "Did you mean 'list'?"),
        ("files shwo 1", "'shwo' is no command of `jobdeck files`.", "Did you mean 'show'?"),
        ("logs 5 -f", "'logs' is no command of `jobdeck`.", "Did you mean 'job logs'?"),
        ("job wait 5", "'wait' is no command of `jobdeck job`.", "Did you mean 'watch'?"),
        ("import - --into l/a/b", "`jobdeck import` reads no standard input.", "`jobdeck files upload - --name NAME`"),
        ("job 5", "'5' is no command of `jobdeck job`.", "Did you mean 'show 5'?"),
        ("jobs list --stat failed", "`jobdeck jobs list` has no option --stat.", "Did you mean '--state'?"),
        ("import a.csv --into l/a/b --null-words x", "`jobdeck import` has no option --null-words.", "-p null_words=…"),
        ("jobs list --wibble", "`jobdeck jobs list` has no option --wibble.", "`jobdeck jobs list --help`"),
        ("up -o json", "`jobdeck up` takes no -o: it asks no server.", "`jobdeck up --help`"),
        ("run sleep seconds=5", "'seconds=5' stands alone.", "jobdeck run sleep -p seconds=5"),
        ("run sleep a=1 b=2 --wait", "'a=1 b=2' stands alone.", "jobdeck run sleep --wait -p a=1 -p b=2"),
        ("jobs list extra", "'extra' is one word too many for `jobdeck jobs list`.", "needs quotes"),
        ("run", "`jobdeck run` needs TYPE.", "`jobdeck run --help`"),
        ("import a.csv", "`jobdeck import` needs --into.", "`jobdeck import --help`"),
        ("jobs list --limit", "--limit needs a value.", "`jobdeck jobs list --help`"),
        ("jobs list --limit ten", "--limit: 'ten' is not a whole number.", "`jobdeck jobs list --help`"),
        ("bulk show x", "ID: 'x' is not a whole number.", "`jobdeck bulk show --help`"),
        ("bulk show x", "ID: 'x' is not a whole number.", "`jobdeck bulk list` shows the ids."),
        ("tokens revoke ops", "ID: 'ops' is not a whole number.", "`jobdeck tokens list` shows the ids."),
        ("me -o jsn", "-o: 'jsn' is none of table, json, ids.", "Did you mean 'json'?"),
    ],
)
def test_each_is_told_with_its_way_out(cli: Cli, words: str, error: str, hint: str) -> None:
    done = cli(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    first, second, *more = done.stderr.splitlines()
    assert first == f"error: {error}"
    assert second.startswith("hint: ")
    assert hint in second
    assert not more


def test_a_file_that_is_not_there_has_a_neighbour(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("a\n1\n")
    (tmp_path / "folder").mkdir()
    wrong = cli("import", "order.csv", "--into", "lake/a/b")
    assert "'order.csv' does not exist here." in wrong.stderr
    assert "Did you mean 'orders.csv'?" in wrong.stderr
    assert "folder/*.csv" in cli("import", "folder", "--into", "lake/a/b").stderr
    (tmp_path / "folder/day=1").mkdir()
    (tmp_path / "folder/day=1/a.parquet").write_text("x")
    deep = cli("import", "folder", "--into", "lake/a/b").stderr
    assert "folder/*/*.parquet" in deep
    assert "--server-path" in deep
    assert "No file here matches 'folder/*.cvs'." in cli("import", "folder/*.cvs", "--into", "lake/a/b").stderr


def test_a_step_is_named_and_a_wrong_one_has_the_names(cli: Cli, server: ContractServer) -> None:
    id_ = str(server.add_job("running"))
    server.steps[int(id_)] = [
        {"index": 0, "name": "plan", "state": "succeeded"},
        {"index": 1, "name": "load", "state": "running", "tasks": [], "task_count": 0},
    ]
    for step in ("load", "1"):
        cli("job", "tasks", id_, step)
        assert server.seen[-1].path.endswith("/steps/1/tasks"), "the name of the step, and its index"
    wrong = cli("job", "tasks", id_, "loda")
    assert f"error: Job {id_} has no step 'loda'." in wrong.stderr
    assert "Did you mean 'load'? Its steps: plan, load." in wrong.stderr
    assert f"error: Job {id_} has no step 'loda'." in cli("job", "logs", id_, "--step", "loda").stderr
    assert "has logged nothing of this kind so far" in cli("job", "logs", id_, "--step", "plan").stderr
    shown = cli("job", "steps", id_).stdout.splitlines()
    assert [line.split()[:2] for line in shown] == [["INDEX", "STEP"], ["0", "plan"], ["1", "load"]]


def test_without_a_token_the_command_says_what_to_set(cli: Cli) -> None:
    done = cli("jobs", "list", JOBDECK_TOKEN=None)
    assert done.returncode == 3
    for way in ("--token", "JOBDECK_TOKEN", "JOBDECK_HOME"):
        assert way in done.stderr
    assert "Authorization" not in done.stderr
