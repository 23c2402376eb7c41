"""Jobs for tests of the page of one job."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobdeck.client import Client
from tests.web.deck import Deck
from tests.web.job.shown import Shown
from tests.web.jobs.words import Desk, a_desk


@pytest.fixture(scope="session")
def job_client(deck: Deck) -> Iterator[Client]:
    with deck.client() as client:
        yield client


@pytest.fixture
def desk(deck: Deck, job_client: Client) -> Iterator[Desk]:
    """A project for one test; what it leaves behind is canceled."""
    with a_desk(deck, job_client) as made:
        yield made


@pytest.fixture(scope="session")
def shown(deck: Deck, job_client: Client) -> Shown:
    """Jobs that tests only look at."""
    return Shown(deck, job_client)
