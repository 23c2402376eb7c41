"""What somebody on call types at night: nothing is done without a word, and nothing else than was typed."""

from __future__ import annotations

import json

import pytest

from jobdeck.cli.exits import tell
from jobdeck.cli.jobs.operations import selected
from jobdeck.core.errors import NotFound
from tests.cli.conftest import Cli
from tests.client.contract_server import ContractServer, Fault


@pytest.mark.parametrize(
    ("words", "what", "lists"),
    [
        ("workers drain", "worker was named", "jobdeck workers list"),
        ("workers undrain", "worker was named", "jobdeck workers list"),
        ("workers show", "worker was named", "jobdeck workers list"),
        ("tokens revoke", "token was named", "jobdeck tokens list"),
        ("connections delete", "connection was named", "jobdeck connections list"),
        ("connections test", "connection was named", "jobdeck connections list"),
        ("configurations delete", "configuration was named", "jobdeck configurations list"),
        ("files delete", "file id was given", "standard input"),
        ("job cancel", "job id was given", "standard input"),
    ],
)
def test_who_names_nothing_is_told(cli: Cli, words: str, what: str, lists: str) -> None:
    done = cli(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: No {what}.")
    assert lists in done.stderr.splitlines()[1]


@pytest.mark.parametrize(
    ("words", "name", "typed"),
    [
        ("limits set type:sleep 1.5", "CAPACITY", "1.5"),
        ("jobs list --limit 2.5", "--limit", "2.5"),
        ("run sleep --priority 4.6", "--priority", "4.6"),
        ("job priority 1 --to 1e0", "--to", "1e0"),
        ("tokens revoke 1 2.0", "ID", "2.0"),
        ("bulk show 0x1", "ID", "0x1"),
        ("up --port 80.5", "--port", "80.5"),
    ],
)
def test_no_whole_number_is_made_of_another(cli: Cli, words: str, name: str, typed: str) -> None:
    done = cli(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == f"error: {name}: '{typed}' is not a whole number."


def test_health_tells_what_a_server_says_that_cannot_serve(cli: Cli, server: ContractServer) -> None:
    parts = {"database": {"status": "unavailable"}}
    server.health = (503, {"status": "unavailable", "parts": parts})
    done = cli("health")
    assert done.returncode == 4
    assert done.stdout.splitlines() == [f"{server.url}: unavailable", "database  unavailable"]
    assert json.loads(cli("health", "-o", "json").stdout) == {"status": "unavailable", "parts": parts}


def test_a_proxy_that_finds_no_server_is_no_answer_about_it(cli: Cli, server: ContractServer) -> None:
    server.faults += [Fault("GET", "/health", "503")] * 4
    done = cli("health")
    assert (done.returncode, done.stdout) == (4, "")


def test_no_token_is_made_without_being_shown(cli: Cli) -> None:
    made = cli("tokens", "create", "ci", "--role", "operator", "-o", "ids")
    assert made.stdout.strip().isdigit()
    assert made.stderr.splitlines()[-1].startswith("jd_")
    shown = cli("tokens", "create", "cd", "--role", "operator")
    assert shown.stdout.startswith("jd_")
    assert "jd_" not in shown.stderr


def test_an_empty_list_says_why(cli: Cli, server: ContractServer) -> None:
    assert cli("jobs", "list").stderr.startswith("There are no jobs yet.")
    slip = cli("jobs", "list", "--type", "slep")
    assert slip.stderr.startswith("No job type is called 'slep'; did you mean 'sleep'? No job matches.")
    assert cli("jobs", "list", "--type", "sleep").stderr.startswith("No job matches.")
    assert cli("jobs", "list", "--type", "slep", "-o", "ids").stderr == ""


@pytest.mark.parametrize(
    ("hint", "typed"),
    [
        ("For another token of the same principal, say so with `for`.", "say so with --for."),
        ("GET /api/v1/bulk lists them.", "`jobdeck bulk list` lists them."),
        ("GET /api/v1/pauses lists what is.", "`jobdeck pauses list` lists what is."),
        ("GET /api/v1/me/sessions lists them.", "`jobdeck sessions list` lists them."),
        ("GET /api/v1/tokens lists them.", "`jobdeck tokens list` lists them."),
        ("GET /api/v1/limits lists those that are set.", "`jobdeck limits list --instance` lists those that are set."),
        ("GET /api/v1/projects/shop/limits lists them.", "`jobdeck limits list` lists them."),
        ("GET /api/v1/jobs/7/rejects lists those there are.", "`jobdeck job rejects 7` lists those there are."),
    ],
)
def test_hints_of_the_api_are_commands_here(capsys: pytest.CaptureFixture[str], hint: str, typed: str) -> None:
    tell(NotFound("It is not there.", hint=hint))
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(typed)
    assert "/api/" not in said


def test_a_filter_of_an_operation_is_told_in_words() -> None:
    asked = {"filter": {"state": ["failed", "paused"], "type": ["sleep"]}}
    assert selected(asked) == "state failed, paused; type sleep"
    assert selected({"filter": {}}) == "all jobs"
    assert selected({"ids": 3}) == "3 ids"


@pytest.mark.parametrize(
    "words", ["jobs cancel --state pending --dry-run", "job cancel --dry-run", "job delete 1 --all"]
)
def test_an_option_that_there_is_not_is_called_so(cli: Cli, words: str) -> None:
    done = cli(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: '{words.rsplit(maxsplit=1)[-1]}' is not an option of this command.",
        "hint: --help after the command lists those.",
    ]


def test_a_project_alone_names_no_jobs_and_the_hint_says_what_does(cli: Cli) -> None:
    done = cli("jobs", "cancel", "--project", "night", "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--state pending,running; a project alone does not." in done.stderr
