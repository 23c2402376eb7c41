"""Projects for tests of the list of jobs."""

from __future__ import annotations

import pytest

from jobdeck.client import Client
from tests.web.deck import Deck
from tests.web.jobs.desks import Desks


@pytest.fixture(scope="session")
def desks(deck: Deck, deck_client: Client) -> Desks:
    """Projects that tests only look at."""
    return Desks(deck, deck_client)
