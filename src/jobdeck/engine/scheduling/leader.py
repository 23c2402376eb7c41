"""Keeping the lead: one of the servers schedules, the others stand by and take over when its lease runs out."""

from __future__ import annotations

import asyncio

import structlog

from jobdeck.core.errors import Unavailable
from jobdeck.engine.loops import Backoff, sleep_unless
from jobdeck.store.scheduling import leadership
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

LEAD_SECONDS = 6.0
RENEW_SECONDS = 2.0


class Leadership:
    """A loop that tries to lead; `current` is the lead it holds now, None while another one leads."""

    name = "leadership"

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self.holder = holder
        self._leader: Leader | None = None
        self._until = 0.0
        self.changed = asyncio.Event()

    @property
    def current(self) -> Leader | None:
        """What it may act on: forgotten before the lease in the database runs out."""
        return self._leader if asyncio.get_running_loop().time() < self._until else None

    @property
    def known(self) -> Leader | None:
        """As `current`, for loops. Raises `Unavailable` when the lead ran out and the database has not said yet who
        leads now: a loop that stands by for that reason has not recovered."""
        leader = self.current
        if leader is None and self._leader is not None:
            raise Unavailable("The lead ran out, and the database has not said who leads now.")
        return leader

    async def run(self, stop: asyncio.Event) -> None:
        backoff = Backoff(self.name)
        while not stop.is_set():
            asked = asyncio.get_running_loop().time()
            try:
                self._take(await leadership.try_lead(self._database, self.holder, LEAD_SECONDS), asked)
                backoff.succeeded()
            except Exception as error:  # noqa: BLE001  (standing by must go on whatever happens)
                backoff.failed(error)
            await sleep_unless(stop, RENEW_SECONDS)
        await self._step_down()

    def lost(self) -> None:
        """A decision was refused: another one leads."""
        self._take(None, 0.0)

    def _take(self, leader: Leader | None, asked: float) -> None:
        self._until = asked + LEAD_SECONDS - 1.0
        if leader != self._leader:
            log.info("leadership", holder=self.holder, leads=leader is not None, epoch=leader.epoch if leader else None)
            self._leader = leader
            self.changed.set()

    async def _step_down(self) -> None:
        """Without the database the others wait until the lease runs out."""
        leader, self._leader = self._leader, None
        if leader is None:
            return
        try:
            await leadership.step_down(self._database, leader)
        except Unavailable as error:
            log.warning("stepped_down_without_word", error=str(error))
