from __future__ import annotations

import socket
from pathlib import Path

import pytest

from jobdeck.client import Client, ServerFailed, Unauthorized, UnexpectedAnswer, Unreachable
from jobdeck.client.settings import resolve
from jobdeck.core.errors import InvalidInput
from tests.client.contract_server import TOKEN, ContractServer, Fault


def test_a_write_whose_answer_was_lost_is_repeated_and_done_once(client: Client, server: ContractServer) -> None:
    server.faults = [Fault("POST", "/projects/default/jobs", "drop_after")]
    job = client.jobs.submit("sleep")
    first, second = server.requests("POST", "/projects/default/jobs")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    assert list(server.jobs) == [job.id]


def test_a_deletion_whose_answer_was_lost_is_done(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("succeeded")
    server.faults = [Fault("DELETE", f"/jobs/{id_}", "drop_after")]
    client.jobs.delete(id_)
    assert id_ not in server.jobs
    assert len(server.requests("DELETE", f"/jobs/{id_}")) == 2


def test_a_busy_server_is_asked_again_when_it_says(client: Client, server: ContractServer) -> None:
    id_ = server.add_job()
    server.faults = [
        Fault("GET", f"/jobs/{id_}", "503"),
        Fault("GET", f"/jobs/{id_}", "429", {"Retry-After": "0.01"}),
        Fault("GET", f"/jobs/{id_}", "drop"),
    ]
    assert client.jobs.get(id_).id == id_
    assert len(server.requests("GET", f"/jobs/{id_}")) == 4


def test_a_server_that_stays_broken_is_told_with_what_it_said(client: Client, server: ContractServer) -> None:
    server.faults = [Fault("GET", "/health", "502") for _ in range(4)]
    with pytest.raises(ServerFailed, match="busy") as caught:
        client.health()
    assert caught.value.status == 502
    assert "A proxy before http://127.0.0.1:" in str(caught.value)
    assert "answered 502" in str(caught.value)
    assert "address and path prefix" in (caught.value.hint or "")


@pytest.mark.parametrize("status", ["200", "303", "401", "404"])
def test_a_page_for_people_is_no_error_text(client: Client, server: ContractServer, status: str) -> None:
    """As at an address such as `…/jobs`, or of a login in front."""
    server.faults = [Fault("GET", "/health", status)]
    with pytest.raises(UnexpectedAnswer, match="a page for people") as caught:
        client.health()
    assert "<" not in str(caught.value)
    assert "address of the server alone" in (caught.value.hint or "")


def test_an_internal_error_is_not_repeated(client: Client, server: ContractServer) -> None:
    server.faults = [Fault("POST", "/projects/default/jobs", "500")]
    with pytest.raises(ServerFailed):
        client.jobs.submit("sleep")
    assert len(server.requests("POST", "/projects/default/jobs")) == 1


def test_nobody_there_names_the_address_and_the_next_step() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(url, TOKEN, attempts=2) as client, pytest.raises(Unreachable) as caught:
            client.jobs.get(1)
    assert url in caught.value.message
    assert "jobdeck up" in (caught.value.hint or "")


def test_a_silent_server_runs_into_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url, TOKEN, timeout=0.2) as client, pytest.raises(Unreachable, match="did not answer in time"):
            client.health()


def test_no_token_is_told_as_such(server: ContractServer, tmp_path: Path) -> None:
    with Client(server.url, home=tmp_path) as client, pytest.raises(Unauthorized) as caught:
        client.me()
    assert caught.value.problem.status == 401


def test_the_token_of_the_home_folder_is_used(server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text(f"{TOKEN}\n")
    with Client(server.url, home=tmp_path) as client:
        assert client.me().role == "admin"


def test_the_token_of_the_home_folder_stays_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "admin.token").write_text(TOKEN)
    monkeypatch.setenv("JOBDECK_HOME", str(tmp_path))
    monkeypatch.delenv("JOBDECK_TOKEN", raising=False)
    assert resolve("http://localhost:1", None, None).token == TOKEN
    assert resolve("http://[::1]:1", None, None).token == TOKEN
    assert resolve("https://jobs.example.com", None, None).token is None
    assert resolve("https://127.0.0.1.example.com", None, None).token is None
    assert resolve("https://jobs.example.com", None, tmp_path).token == TOKEN


def test_settings_come_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBDECK_URL", "http://one:1/")
    monkeypatch.setenv("JOBDECK_TOKEN", "from-env")
    assert (resolve(None, None, None).url, resolve(None, None, None).token) == ("http://one:1", "from-env")
    assert (resolve("http://two:2", "x", None).url, resolve("http://two:2", "x", None).token) == ("http://two:2", "x")
    assert "from-env" not in repr(resolve(None, None, None))


def test_the_address_is_where_the_home_was_served_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOBDECK_URL", raising=False)
    monkeypatch.setenv("JOBDECK_HOME", str(tmp_path))
    assert resolve(None, None, None).url == "http://127.0.0.1:8380"
    (tmp_path / "server.url").write_text("http://127.0.0.1:9000\n")
    assert resolve(None, None, None).url == "http://127.0.0.1:9000"
    assert resolve(None, None, tmp_path / "other").url == "http://127.0.0.1:8380"
    assert resolve("http://localhost:1", None, None).url == "http://localhost:1"
    (tmp_path / "server.url").write_text("half a line")
    assert resolve(None, None, None).url == "http://127.0.0.1:8380"


def test_a_home_that_may_not_be_read_is_not_said_to_be_unserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOBDECK_URL", raising=False)
    (tmp_path / "server.url").mkdir()  # What nobody may read as a file, root neither.
    assert "server.url cannot be read: Is a directory." in resolve(None, None, tmp_path).origin


@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_empty_token_is_refused(empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not make an administrator of whoever has a variable that was not set."""
    (tmp_path / "admin.token").write_text(TOKEN)
    with pytest.raises(InvalidInput, match="The token is empty"):
        resolve(None, empty, tmp_path)
    monkeypatch.setenv("JOBDECK_TOKEN", empty)
    with pytest.raises(InvalidInput, match="JOBDECK_TOKEN is empty"):
        resolve(None, None, tmp_path)
    assert resolve(None, TOKEN, tmp_path).token == TOKEN


@pytest.mark.parametrize("url", ["127.0.0.1:8380", "ftp://x", "http://", "http://[::1", "http://x:99999"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        resolve(url, None, None)


def test_nothing_there_says_why_this_address_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.delenv("JOBDECK_URL", raising=False)
    never, served = tmp_path / "never", tmp_path / "served"
    assert resolve(None, None, never).origin.startswith(f"Nothing has served the home {never} yet")
    served.mkdir()
    (served / "server.url").write_text(nobody)

    def hint() -> str:
        with Client(home=served, attempts=1) as client, pytest.raises(Unreachable) as caught:
            client.health()
        assert nobody in str(caught.value)
        return caught.value.hint or ""

    assert f"There the home {served} was served last. Start one with `jobdeck up`" in hint()
    monkeypatch.setenv("JOBDECK_URL", nobody)
    assert "JOBDECK_URL names this address." in hint()
