"""Projects for tests of the list of jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobdeck.client import Client
from tests.web.deck import Deck
from tests.web.jobs.desks import Desks
from tests.web.jobs.words import Desk, a_desk


@pytest.fixture(scope="session")
def jobs_client(deck: Deck) -> Iterator[Client]:
    with deck.client() as client:
        yield client


@pytest.fixture
def desk(deck: Deck, jobs_client: Client) -> Iterator[Desk]:
    """A project for one test; what it leaves behind is canceled."""
    with a_desk(deck, jobs_client) as made:
        yield made


@pytest.fixture(scope="session")
def desks(deck: Deck, jobs_client: Client) -> Desks:
    """Projects that tests only look at."""
    return Desks(deck, jobs_client)
