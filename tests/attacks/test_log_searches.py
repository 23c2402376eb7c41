"""Somebody who may only look searches large logs, many at once, and hangs up: nobody else notices."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from jobdeck.engine.logs import LogEntry, chunk_path, pack
from tests.attacks.target import PATIENCE, Target, target, until

CHUNKS = 120
OF_A_CHUNK = 2500
EPOCH = 900_000


def _write_log(home: Path, job: int) -> None:
    """A log of 30 MB, beside what the worker wrote."""
    for chunk in range(CHUNKS):
        numbers = range(chunk * OF_A_CHUNK, (chunk + 1) * OF_A_CHUNK)
        lines = [LogEntry(1_700_000_000_000_000 + n, "stdout", "run", 0, f"{n} {'y' * 60}").to_json() for n in numbers]
        file = home / "storage" / chunk_path(job, 1, EPOCH, chunk)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pack(lines))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, int, str]]:
    """A server, a job with a large log, and the token of one who may look."""
    with target(tmp_path_factory.mktemp("searched") / "home") as made:
        job = made.ask("POST", "/api/v1/projects/default/jobs", json={"type": "noop"}).json()["id"]
        until(lambda: made.ask("GET", f"/api/v1/jobs/{job}").json()["state"] == "succeeded", "the job ends")
        viewer = made.ask("POST", "/api/v1/tokens", json={"name": "looker", "role": "viewer"}).json()["token"]
        _write_log(made.home, job)
        yield made, job, viewer


def _health(server: Target, seconds: float) -> list[float]:
    """How long the server takes to say that it is well, again and again."""
    took, end = [], time.monotonic() + seconds
    with httpx2.Client(base_url=server.url, timeout=PATIENCE) as client:
        while time.monotonic() < end:
            began = time.monotonic()
            assert client.get("/api/v1/health").status_code == 200
            took.append(time.monotonic() - began)
            time.sleep(0.02)
    return took


def _hang_up(server: Target, path: str, token: str) -> None:
    connection = server.connect()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    connection.close()


def test_searches_and_hang_ups_of_a_viewer_stop_nobody(searched: tuple[Target, int, str]) -> None:
    server, job, viewer = searched
    over = threading.Event()
    statuses: list[int] = []

    def search(path: str) -> None:
        with httpx2.Client(headers={"Authorization": f"Bearer {viewer}"}, timeout=PATIENCE) as client:
            after = ""
            while not over.is_set():
                answer = client.get(f"{server.url}{path}{after}")
                statuses.append(answer.status_code)
                found = answer.json() if answer.status_code == 200 else {}
                after = f"&after={found['next']}" if found.get("next") else ""

    log = f"/api/v1/jobs/{job}/logs"
    paths = [f"{log}?q=zzzz", f"{log}?level=error", f"{log}?step=nothing", f"{log}?tail=1000&q=zzzz", f"{log}?task=9"]
    threads = [threading.Thread(target=search, args=(path,)) for path in paths * 2]
    for thread in threads:
        thread.start()
    try:
        for path in (
            f"{log}?q=zzzz",
            f"{log}/download",
            f"{log}?tail=5&q=zzzz",
            f"{log}?q=zzzz&before=900001-000000:1",
        ):
            for _ in range(15):
                _hang_up(server, path, viewer)
        work = [
            server.ask("POST", "/api/v1/projects/default/jobs", json={"type": "noop"}).json()["id"] for _ in range(20)
        ]
        took = _health(server, 4.0)
        until(
            lambda: all(server.ask("GET", f"/api/v1/jobs/{one}").json()["state"] == "succeeded" for one in work),
            "jobs end while logs are searched",
        )
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > 10
    assert statistics.median(took) < 0.25, took
    assert "request_crashed" not in server.log


def test_an_answer_is_bounded_and_all_together_find_everything(searched: tuple[Target, int, str]) -> None:
    server, job, _ = searched
    asked, found, after = 0, 0, ""
    while True:
        page = server.ask("GET", f"/api/v1/jobs/{job}/logs?q=9999%20&limit=500{after}").json()
        asked += 1
        found += len(page["items"])
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == CHUNKS * OF_A_CHUNK // 10_000
    assert asked >= CHUNKS * OF_A_CHUNK // 70_000
    with server.client() as client:
        assert sum(1 for _ in client.jobs.logs(job, q="9999 ")) == found
        assert [line.text.partition(" ")[0] for line in client.jobs.logs(job, tail=1, q="9999 ")] == ["299999"]
        assert [line.text.partition(" ")[0] for line in client.jobs.logs(job, tail=1, q=" y")] == ["299999"]
        assert next(iter(client.jobs.logs(job, tail=1, q="19999 "))).text.startswith("219999 ")


def test_a_download_comes_whole_and_in_pieces(searched: tuple[Target, int, str]) -> None:
    server, job, _ = searched
    before = server.memory
    answer = server.ask("GET", f"/api/v1/jobs/{job}/logs/download")
    assert answer.text.count("\n") == CHUNKS * OF_A_CHUNK
    assert server.memory - before < 60 * 1024 * 1024


def test_one_token_holds_no_place_of_another(searched: tuple[Target, int, str]) -> None:
    """Forty searches of one viewer wait for each other, or are refused; an administrator's is answered at once."""
    server, job, viewer = searched
    for _ in range(40):
        connection = server.connect()
        connection.sendall(
            f"GET /api/v1/jobs/{job}/logs?q=zzzz HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {viewer}\r\n\r\n".encode()
        )
    began = time.monotonic()
    assert server.ask("GET", f"/api/v1/jobs/{job}/logs?tail=10").status_code == 200
    assert time.monotonic() - began < 10
    server.close_all()
