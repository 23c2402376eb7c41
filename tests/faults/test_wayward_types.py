"""A real server with a job type of other people that hangs wherever it can: all others go on, and the server ends.

Hooks run in processes of the server and never see the database; a plan is recorded there, and is tried on both."""

from __future__ import annotations

import concurrent.futures
import re
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobdeck import Client
from jobdeck.client.errors import Invalid
from tests.faults.installation import Installation, health_of, installation, until
from tests.faults.wayward_types import published

pytestmark = pytest.mark.usefixtures("wayward_types")
QUICK = 60.0
"""Seconds within which a server that is not held up answers and ends, on a machine that is busy with tests: half of
what a check may take."""


@pytest.fixture
def wayward_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", published(tmp_path / "others"))


SETTINGS = {"check_seconds": "120", "plan_seconds": "6", "lease_seconds": "4"}


@pytest.fixture
def jobdeck(home: Path, sqlite_database_url: str) -> Iterator[Installation]:
    with installation(home, sqlite_database_url, **SETTINGS) as made:
        yield made


@pytest.fixture
def on_both(home: Path, database_url: str) -> Iterator[Installation]:
    with installation(home, database_url, **SETTINGS) as made:
        yield made


def until_marked(mark: Path, count: int = 1) -> None:
    until(lambda: mark.exists() and len(mark.read_text().split()) >= count, f"{mark.name} is reached {count} times")


def post(jobdeck: Installation, path: str, body: Any, token: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.post(f"{jobdeck.url}/api/v1/{path}", json=body, headers=headers, timeout=150)


def token_of(jobdeck: Installation) -> str:
    return (jobdeck.home / "admin.token").read_text().strip()


def timed(client: Client, project: str = "default") -> float:
    began = time.monotonic()
    client.jobs.submit("noop", project=project)
    return time.monotonic() - began


def wayward(place: str, how: str, mark: Path) -> dict[str, Any]:
    return {"type": "wayward", "params": {"place": place, "how": how, "mark": str(mark)}}


def test_slow_checks_stop_no_submission_and_no_server(jobdeck: Installation, tmp_path: Path) -> None:
    server, mark = jobdeck.up(), tmp_path / "checks"
    token = token_of(jobdeck)
    with concurrent.futures.ThreadPoolExecutor(8) as people, jobdeck.client() as client:
        client.projects.create("other")
        asked = [
            people.submit(post, jobdeck, "projects/default/jobs", wayward("check", "sleep", mark), token)
            for _ in range(8)
        ]
        until_marked(mark, 2)
        assert max(timed(client), timed(client, "other")) < QUICK
        began = time.monotonic()
        job = client.jobs.submit("wayward", {}, project="other")
        assert time.monotonic() - began < QUICK
        jobdeck.until_state(job.id, "succeeded")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < QUICK
        concurrent.futures.wait(asked)


def test_who_hangs_up_frees_its_place(jobdeck: Installation, tmp_path: Path) -> None:
    jobdeck.up()
    mark, token = tmp_path / "checks", token_of(jobdeck)
    for path in ("jobs", "jobs?dry_run=true"):
        mark.unlink(missing_ok=True)
        for _ in range(2):
            _hang_up(jobdeck, path, wayward("check", "deaf", mark), token, mark)
        began = time.monotonic()
        assert post(jobdeck, f"projects/default/{path}", {"type": "wayward"}, token).is_success
        assert time.monotonic() - began < QUICK
        pids = mark.read_text().split()
        until(partial(all_dead, pids), "what they began is dead")


def all_dead(pids: list[str]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _hang_up(jobdeck: Installation, path: str, body: dict[str, Any], token: str, mark: Path) -> None:
    """Ask, wait until the type is asked, and close the connection."""
    before = len(mark.read_text().split()) if mark.exists() else 0
    url = httpx2.URL(jobdeck.url)
    request = httpx2.Request(
        "POST", f"{jobdeck.url}/api/v1/projects/default/{path}", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    head = f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in request.headers.items()
    )
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(head.encode() + b"\r\n" + request.read())
        until_marked(mark, before + 1)


def test_a_dry_run_of_one_project_holds_up_no_other(jobdeck: Installation, tmp_path: Path) -> None:
    jobdeck.up()
    mark, token = tmp_path / "looks", token_of(jobdeck)
    with concurrent.futures.ThreadPoolExecutor(6) as people, jobdeck.client() as client:
        client.projects.create("other")
        path = "projects/default/jobs?dry_run=true"
        asked = [people.submit(post, jobdeck, path, wayward("preview", "sleep", mark), token) for _ in range(6)]
        until_marked(mark, 2)
        began = time.monotonic()
        answer = post(jobdeck, "projects/other/jobs?dry_run=true", {"type": "noop"}, token)
        assert (answer.status_code, answer.json()["ok"]) == (200, True)
        assert time.monotonic() - began < QUICK
        for one in asked:
            one.cancel()
        jobdeck.end()


def test_a_plan_that_hangs_stops_nothing_before_and_after_a_restart(on_both: Installation, tmp_path: Path) -> None:
    jobdeck = on_both
    server, mark = jobdeck.up(), tmp_path / "plan"
    with jobdeck.client() as client:
        job = client.jobs.submit("wayward", wayward("plan", "deaf", mark)["params"]).id
        until_marked(mark)
        assert health_of(jobdeck.url)["status"] == "ok"
        assert timed(client) < QUICK
    assert server.stop() == 0
    jobdeck.up()
    until_marked(mark, 2)
    assert health_of(jobdeck.url)["status"] == "ok"
    found = jobdeck.until_state(job, "failed")
    assert found.error is not None
    assert (found.error.code, "'wayward'" in found.error.message) == ("plan_timed_out", True)


@pytest.mark.parametrize("how", ["busy", "sleep"])
def test_light_code_that_does_not_return_keeps_no_server(jobdeck: Installation, tmp_path: Path, how: str) -> None:
    server, mark = jobdeck.up(), tmp_path / "light"
    with jobdeck.client() as client:
        job = client.jobs.submit("wayward", {**wayward("work", "gate" if how == "sleep" else how, mark)["params"]}).id
        until_marked(mark)
        client.jobs.cancel(job)
        until(lambda: "nothing can stop it" in _log(jobdeck, job), "the log tells it", 60)
        assert jobdeck.job(job).state == "canceling"
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < QUICK
    jobdeck.up()
    jobdeck.until_state(job, "canceled")


def _log(jobdeck: Installation, job: int) -> str:
    with jobdeck.client() as client:
        return " ".join(line.text for line in client.jobs.logs(job))


def test_a_second_signal_ends_it_in_haste(jobdeck: Installation, tmp_path: Path) -> None:
    server, mark = jobdeck.up(), tmp_path / "light"
    with jobdeck.client() as client:
        job = client.jobs.submit("wayward", wayward("work", "gate", mark)["params"]).id
        until_marked(mark)
    server.signal(signal.SIGINT)
    until(lambda: re.search("leads|stop|shut", server.log.read_text()), "it has heard")
    time.sleep(0.5)  # two signals at once are one
    began = time.monotonic()
    server.signal(signal.SIGINT)
    server.stop()
    assert time.monotonic() - began < 15
    (tmp_path / "light.open").touch()
    jobdeck.up()
    jobdeck.until_state(job, "succeeded")


def test_patterns_over_patterns_are_refused_and_harm_nobody(
    home: Path, sqlite_database_url: str, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    for number in range(300):
        (allowed / f"d{number % 20}" / f"e{number}").mkdir(parents=True, exist_ok=True)
        (allowed / f"d{number % 20}" / f"e{number}" / "a.csv").write_text("a\n1\n")
    (allowed / "d1" / "loop").symlink_to("..")
    with installation(home, sqlite_database_url, allowed_paths=str(allowed), check_seconds="120") as jobdeck:
        server = jobdeck.up()
        token = token_of(jobdeck)
        evil = {"files": [f"{allowed}/**/**/**/ok{n}.csv" for n in range(1500)], "into": "lake/a/b"}
        with concurrent.futures.ThreadPoolExecutor(8) as people, jobdeck.client() as client:
            body = {"type": "import", "params": evil}
            asked = [people.submit(post, jobdeck, "projects/default/jobs", body, token) for _ in range(4)]
            assert max(timed(client) for _ in range(5)) < QUICK
            answers = [one.result() for one in asked]
            assert {answer.status_code for answer in answers} <= {422, 503}
            with pytest.raises(Invalid) as refused:
                client.jobs.submit("import", {"files": [f"{allowed}/**/none.csv"], "into": "lake/a/b"})
            assert "no file" in str(refused.value)
            job = client.jobs.submit("import", {"files": [f"{allowed}/**/*.csv"], "into": "lake/a/b"})
        assert jobdeck.until_state(job.id, "succeeded").state == "succeeded"
        assert server.stop() == 0
