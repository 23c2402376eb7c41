"""Makes ready what people would have to wait for: templates and the statements of the first list once the server
answers, columns once somebody looks."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from jobdeck.access.caller import Caller, Role
from jobdeck.engine.loops import RepeatedLoop, sleep_unless
from jobdeck.services.services import Services
from jobdeck.web.page import PageContext
from jobdeck.web.pages.jobs.filter.query import JobsAddress
from jobdeck.web.pages.jobs.list import counts, listed
from jobdeck.web.rendering import Templates

AFTER_START = 0.5
"""Seconds: starting itself is not to take longer."""
EVERY = 0.25
"""Seconds between two looks whether somebody looks."""
FIRST_SEEN = ("login/page.html", "jobs/page.html", "jobs/changes.html")


class Readiness:
    """A loop. What searches and filters look at is read into memory while the first list is being read by a person:
    a server that nobody looks at stays as small as it was."""

    name = "readiness"

    def __init__(self, services: Services, templates: Templates) -> None:
        self._services = services
        self._templates = templates
        self._seen = False
        self._rehearsed = False

    def look(self) -> None:
        """Somebody looks at the list."""
        self._seen = True

    async def run(self, stop: asyncio.Event) -> None:
        await sleep_unless(stop, AFTER_START)
        if not stop.is_set():
            await asyncio.to_thread(self._templates.prepare, FIRST_SEEN)
        await RepeatedLoop(self.name, EVERY, self._turn).run(stop)

    async def _turn(self) -> None:
        if not self._rehearsed:
            self._rehearsed = True
            await self._rehearse()
        if self._seen:
            self._seen = False
            await self._services.jobs.warm()

    async def _rehearse(self) -> None:
        """Ask for the list and what stands in its head as the first person will: composing the statements takes longer
        than carrying them out."""
        nobody = Caller("", 0, 0, Role.VIEWER)
        await PageContext(Request({"type": "http"}), self._services, self._templates, nobody, None).look_around()
        await listed(self._services, nobody, JobsAddress())
        await counts(self._services, nobody, JobsAddress())
