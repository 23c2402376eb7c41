"""Short words for tests of the list of jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.async_api import Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from jobdeck.client import Client
from jobdeck.wire.jobs import Job
from tests.web.deck import Deck

LONG: dict[str, Any] = {"seconds": 600}
"""Parameters of a job that does not end while a test runs."""
FAILING: dict[str, Any] = {"seconds": 0.01, "fail_step": 0, "fail_times": 99}


class Desk:
    """A project of its own, and what a test does in it."""

    def __init__(self, deck: Deck, client: Client) -> None:
        self.deck = deck
        self.client = client
        self.project = deck.project()

    def url(self, query: str = "") -> str:
        return f"/jobs?project={self.project}{'&' + query if query else ''}"

    def submit(self, type: str = "noop", params: dict[str, Any] | None = None, **wishes: Any) -> Job:
        return self.client.jobs.submit(type, params or {}, project=self.project, **wishes)

    def done(self, type: str = "noop", params: dict[str, Any] | None = None, **wishes: Any) -> Job:
        """A job that has ended."""
        return self.client.jobs.wait(self.submit(type, params, **wishes).id, timeout=30)

    def until(self, job: int, holds: Callable[[Job], bool]) -> Job:
        """The job once something holds of it."""
        for seen in self.client.jobs.watch(job, timeout=30):
            if holds(seen):
                return seen
        raise AssertionError(f"job {job} ended before that")

    def limit(self, jobs: int) -> None:
        """Let so many jobs of the project run at once: with 0 all of them wait."""
        self.client.limits.set("project", jobs, project=self.project)


def row(page: Page, job: int) -> Locator:
    return page.locator(f"#job-{job}")


def rows(page: Page) -> Locator:
    return page.locator("#jobs-rows > tr")


async def shows(page: Page, *jobs: int) -> None:
    """The list has these jobs and no others, in this order."""
    ids = "[...document.querySelectorAll('#jobs-rows > tr')].map(r => Number(r.dataset.job))"
    try:
        await page.wait_for_function(f"wanted => JSON.stringify({ids}) === JSON.stringify(wanted)", arg=list(jobs))
    except PlaywrightTimeout:
        found = await page.evaluate(ids)
        assert found == list(jobs), f"{found} at {page.url}"


async def has_query(page: Page, *parts: str) -> None:
    """The address has these parameters."""
    wanted = "".join(f"(?=.*[?&]{re.escape(part)}(&|$))" for part in parts)
    await expect(page).to_have_url(re.compile(f"^{wanted}"))


async def is_live(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")


async def pick(page: Page, *jobs: int) -> None:
    for job in jobs:
        await row(page, job).get_by_role("checkbox").check()


async def settled(page: Page) -> None:
    """What was asked for is there."""
    await expect(page.locator("#jobs")).not_to_have_attribute("aria-busy", "true")


@contextmanager
def a_desk(deck: Deck, client: Client) -> Iterator[Desk]:
    """A project for one test; what it leaves behind is canceled."""
    made = Desk(deck, client)
    yield made
    plan = client.bulk.preview("cancel", project=made.project, state=["pending", "running", "pausing", "paused"])
    if plan.allowed:
        client.bulk.wait(client.bulk.run(plan).id, timeout=30)
