"""Deletes at the same moment as submissions that name what is deleted: one of both gives way, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobdeck.client import Client
from jobdeck.client.errors import ApiError
from tests.attacks.target import Target

ROUNDS = 4
GONE = {"file_not_found", "unknown_connection"}
"""With these codes a job ends that was accepted before what it names was deleted."""


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each of them gave, or how it was refused; all begin at the same moment."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        gate.wait(30)
        try:
            return act()
        except ApiError as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.fixture
def client(server: Target) -> Iterator[Client]:
    with Client(server.url, server.token) as made:
        yield made


def test_a_file_and_jobs_that_load_it(client: Client, server: Target, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    for number in range(ROUNDS):
        file = client.files.upload(tmp_path / "a.csv")
        params = {"files": [f"file:{file.id}"], "into": f"lake/raced/t{number}"}
        submitted, deleted = at_once(
            partial(client.jobs.submit, "import", params),
            partial(client.files.delete, file.id),
        )
        _one_gave_way(client, submitted, deleted, 404, partial(client.files.get, file.id))
    assert "Traceback" not in server.log


def test_a_connection_and_jobs_that_name_it(client: Client, server: Target) -> None:
    for number in range(ROUNDS):
        client.connections.create("raced", "files", {"url": "s3://raced"})
        params = {"files": ["s3://raced/a.csv"], "into": f"lake/raced/c{number}", "format": "csv"}
        submitted, deleted = at_once(
            partial(client.jobs.submit, "import", params),
            partial(client.connections.delete, "raced"),
        )
        if not isinstance(submitted, ApiError):
            client.jobs.cancel(submitted.id)
        assert all(found.status in (404, 409, 422) for found in (submitted, deleted) if isinstance(found, ApiError))
        if isinstance(deleted, ApiError):
            assert deleted.problem.code == "in_use"
            client.connections.delete("raced", force=True)
        assert "raced" not in [connection.name for connection in client.connections.list()]
    assert "Traceback" not in server.log


def test_a_job_that_is_run_again_and_given_children(client: Client, server: Target) -> None:
    for _ in range(ROUNDS):
        job = client.jobs.wait(client.jobs.submit("noop").id)
        again, child, deleted = at_once(
            partial(client.jobs.run_again, job.id),
            partial(client.jobs.submit, "noop", parent=job.id),
            partial(client.jobs.delete, job.id),
        )
        for found in (again, child, deleted):
            assert not isinstance(found, ApiError) or found.status in (404, 409, 422), found
        assert not isinstance(again, ApiError) or again.status == 404
        if not isinstance(again, ApiError):
            assert client.jobs.wait(again.id).state == "succeeded"
    assert "Traceback" not in server.log


def _one_gave_way(client: Client, submitted: Any, deleted: Any, gone: int, look: Callable[[], Any]) -> None:
    """Either it is there and the job has it, or it is gone and the job was refused, or fails by just that."""
    if isinstance(deleted, ApiError):
        assert deleted.problem.code == "in_use"
        assert look() is not None
        assert client.jobs.wait(submitted.id).state == "succeeded"
        return
    with pytest.raises(ApiError) as away:
        look()
    assert away.value.status == gone
    if isinstance(submitted, ApiError):
        assert submitted.status in (404, 422)
        return
    job = client.jobs.wait(submitted.id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code in GONE
