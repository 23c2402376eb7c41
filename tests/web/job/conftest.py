"""Jobs for tests of the page of one job."""

from __future__ import annotations

import pytest

from jobdeck.client import Client
from tests.web.deck import Deck
from tests.web.job.shown import Shown


@pytest.fixture(scope="session")
def shown(deck: Deck, deck_client: Client) -> Shown:
    """Jobs that tests only look at."""
    return Shown(deck, deck_client)
