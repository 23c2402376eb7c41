from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobdeck.client import Client
from tests.client.contract_server import TOKEN, ContractServer, running


@pytest.fixture
def server() -> Iterator[ContractServer]:
    with running() as started:
        yield started


@pytest.fixture
def client(server: ContractServer) -> Iterator[Client]:
    with Client(server.url, TOKEN) as opened:
        yield opened
