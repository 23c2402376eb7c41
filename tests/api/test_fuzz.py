"""Every endpoint, fuzzed from its own description: never a 500, never an answer that the description does not know."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import status_code_conformance

from jobdeck.access.first_admin import first_admin
from jobdeck.api.app import create_app
from jobdeck.api.http.server.serving import address_of, listen, serve
from jobdeck.services.services import Services
from tests.api.conftest import make_core

BOUNDED = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Server:
    """The API in a thread of its own, for a client that blocks."""

    def __init__(self, url: str, folder: Path) -> None:
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(url, folder)))
        self._thread.start()
        assert self._started.wait(30)

    async def _serve(self, url: str, folder: Path) -> None:
        core = make_core(url, folder)
        self.token = await first_admin(core.database, folder)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listening = listen("127.0.0.1", 0)
        self.url = address_of(listening)
        await serve(create_app(Services(core)), listening, self._started.set, self._stop)
        await core.database.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture
def server(ready_url: str, tmp_path: Path) -> Iterator[Server]:
    started = Server(ready_url, tmp_path)
    yield started
    started.close()


def _aim(case: Case[Any]) -> None:
    """Names that are there, often enough that requests get beyond them."""
    places = case.path_parameters
    if "project" in places and len(str(places["project"])) % 3:
        places["project"] = "default"
    if isinstance(places.get("id"), int) and places["id"] % 3:
        places["id"] = places["id"] % 4 + 1


def _furnish(server: Server, headers: dict[str, str]) -> None:
    """Jobs, a file and a configuration to be met."""
    with httpx2.Client(base_url=f"{server.url}/api/v1/projects/default", headers=headers, timeout=60) as http:
        for _ in range(4):
            assert http.post("/jobs", json={"type": "sleep"}).status_code == 202
        assert http.post("/files", files={"file": ("f.csv", b"a\n1\n")}).status_code == 201
        body = {"name": "c", "type": "sleep", "params": {}}
        assert http.post("/configurations", json=body).status_code == 201


@pytest.mark.filterwarnings("ignore")
def test_no_request_breaks_the_server(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    _furnish(server, headers)
    schema = schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json", headers=headers)
    failures: list[str] = []
    operations = 0
    for result in schema.exclude(path="/api/v1/events").get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        operations += 1

        @BOUNDED
        @given(case=operation.as_strategy())
        def probe(case: Case[Any]) -> None:
            _aim(case)
            case.call_and_validate(headers=headers, checks=[not_a_server_error, status_code_conformance], timeout=20)

        try:
            probe()
        except BaseExceptionGroup as error:  # all that is found is told at once
            failures.append(f"{operation.label}: {error}")
    assert operations > 45
    assert not failures, "\n\n".join(failures)
