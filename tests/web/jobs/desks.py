"""Projects with jobs in them that several tests only look at."""

from __future__ import annotations

from functools import cached_property

from jobdeck.client import Client
from jobdeck.wire.jobs import SubmitRequest
from tests.web.deck import Deck
from tests.web.jobs.words import FAILING, LONG, Desk


class Desks:
    """Each is made when the first test asks for it."""

    def __init__(self, deck: Deck, client: Client) -> None:
        self._deck = deck
        self._client = client

    @cached_property
    def large(self) -> Desk:
        """120 jobs that wait."""
        desk = Desk(self._deck, self._client)
        desk.limit(0)
        jobs = [SubmitRequest(type="noop") for _ in range(120)]
        desk.client.jobs.submit_all(jobs, project=desk.project)
        return desk

    @cached_property
    def mixed(self) -> Desk:
        """A job in each of the usual states."""
        desk = Desk(self._deck, self._client)
        failed = desk.submit("sleep", FAILING, description="Load the returns")
        done = desk.submit("sleep", {"seconds": 0.01}, description="Load the orders")
        desk.client.jobs.wait(failed.id, timeout=30)
        desk.client.jobs.wait(done.id, timeout=30)
        desk.limit(0)
        paused = desk.submit("sleep", LONG)
        desk.client.jobs.pause(paused.id, "until the files are there")
        desk.submit("sleep", LONG, description="Load the customers")
        desk.client.jobs.cancel(desk.submit("sleep", LONG).id)
        return desk
