"""Places for those who read logs, of which nobody holds many: reading costs the server more than it costs to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jobdeck.access.caller import Caller
from jobdeck.core.errors import Unavailable
from jobdeck.engine.fair_places import FairPlaces

PLACES = 4
"""Answers that are made at the same time."""
OF_ONE = 2
"""Of these for one token."""
AT_ONCE = 0.1
PATIENCE = 10.0
"""Seconds that others wait for a place."""


class TooManyLogReads(Unavailable, code="too_many_log_reads"):
    """Logs are read so much just now, by this token or by others, that there was no place for one more in time."""


class LogPlaces:
    """Who may read now; whoever holds least is next."""

    def __init__(self, places: int = PLACES, of_one: int = OF_ONE, patience: float = PATIENCE) -> None:
        self._places = FairPlaces(places, of_one)
        self._patience = patience

    @asynccontextmanager
    async def place(self, caller: Caller, *, patient: bool = False, at_once: bool = False) -> AsyncIterator[None]:
        """Hold a place, as long as one answer is made; raises TooManyLogReads, unless `patient`.

        `at_once` is for what can do without: it hardly waits."""
        patience = min(AT_ONCE, self._patience) if at_once else self._patience
        held = self._places.place(str(caller.token_id), None if patient else patience)
        try:
            await held.__aenter__()
        except TimeoutError:
            raise TooManyLogReads(
                f"Too many logs are read at the same time; one token may read {OF_ONE}.",
                hint="Wait for the other answers, then ask again.",
            ) from None
        try:
            yield
        finally:
            await held.__aexit__(None, None, None)
