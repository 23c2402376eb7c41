"""Searching: what is found, and the counts, which come after the rows and agree with them."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, Route, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.jobs.desks import Desks
from tests.web.jobs.test_jobs_filters import add
from tests.web.jobs.words import FAILING, LONG, Desk, has_query, row, shows
from tests.web.watch import Watch


@pytest.fixture(scope="module")
def commanding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server that runs commands."""
    made = Deck(tmp_path_factory.mktemp("commanding") / "home", {"JOBDECK_ALLOW_COMMANDS": "true"})
    made.start()
    with made.client() as client:
        yield Desk(made, client)
    made.stop()


async def test_by_the_command_line(commanding: Desk, open_page: OpenPage) -> None:
    ran = commanding.done("command", {"argv": [sys.executable, "-c", "print('needle')"]}, description="Count").id
    waits = commanding.submit("sleep", LONG).id
    commanding.limit(0)
    queued = commanding.submit("command", {"argv": ["echo", "Needle", "two"]}, description="Say").id
    page = await open_page(at=commanding.deck)
    await page.goto(commanding.url())
    await shows(page, queued, waits, ran)
    await page.get_by_role("searchbox").fill("needle")
    await shows(page, queued, ran)
    await page.get_by_role("searchbox").fill("echo needle")
    await shows(page, queued)


async def test_the_filter_of_categories(commanding: Desk, open_page: OpenPage) -> None:
    desk = Desk(commanding.deck, commanding.client)
    desk.limit(0)
    test, compute = desk.submit("noop").id, desk.submit("command", {"argv": ["true"]}).id
    page = await open_page(at=desk.deck)
    await page.goto(desk.url())
    await shows(page, compute, test)
    await add(page, "Category")
    form = page.get_by_role("dialog", name="Filter")
    await form.get_by_role("checkbox", name="compute").check()
    await form.get_by_role("button", name="Apply").click()
    await shows(page, compute)
    await has_query(page, "category=compute")
    await expect(page.get_by_role("link", name="pending 1")).to_be_visible()
    await page.get_by_role("button", name="Category compute").click()
    await expect(form.get_by_role("checkbox", name="compute")).to_be_checked()
    await form.get_by_role("checkbox", name="test").check()
    await form.get_by_role("button", name="Apply").click()
    await shows(page, compute, test)
    await page.get_by_role("link", name="Remove the filter Category compute").click()
    await shows(page, test)


async def test_by_id_and_the_beginning_of_a_run_id(desk: Desk, page: Page) -> None:
    parent = desk.submit("sleep", LONG).id
    child = desk.submit("noop", parent=parent).id
    other = desk.submit("sleep", LONG, description=f"Not {parent}0 but one like it").id
    await page.goto(desk.url())
    await shows(page, other, child, parent)
    await page.get_by_role("searchbox").fill(str(child))
    await shows(page, child)
    await page.get_by_role("searchbox").fill(f"{parent}.{child}")
    await shows(page, child)
    await page.get_by_role("searchbox").fill(str(parent))
    await shows(page, other, child, parent)  # its own, what runs below it, and what speaks of such a number


async def test_rows_do_not_wait_for_counts(desks: Desks, page: Page) -> None:
    """Until they are there nothing can be selected by a number that is not known; then all agree with the API."""
    desk = desks.large
    await page.goto(desk.url())
    release = asyncio.Event()
    await _hold_counts(page, release)
    before = await _places(page)
    await page.get_by_role("searchbox").fill("noop")
    tabs = page.get_by_role("navigation", name="Jobs by state")
    await expect(tabs).to_have_attribute("aria-busy", "true")
    await has_query(page, "q=noop")
    await expect(page.locator("#jobs-rows > tr")).to_have_count(50)
    assert await _places(page) == before
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await expect(page.get_by_text("50 selected")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("that match"))).to_be_hidden()
    release.set()
    await page.get_by_role("button", name="Select all 120 that match").click()
    await expect(tabs).not_to_have_attribute("aria-busy", "true")
    await expect(tabs.get_by_role("link", name="pending 120")).to_be_visible()
    await expect(page.locator(".pagination")).to_contain_text("50 of 120 jobs")
    assert desk.client.jobs.counts(project=desk.project, q="noop")["pending"] == 120
    assert await _places(page) == before


async def test_a_selection_of_all_keeps_its_number_on_other_pages(desks: Desks, page: Page) -> None:
    await page.goto(desks.large.url("q=noop"))
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await page.get_by_role("button", name="Select all 120 that match").click()
    await _hold_counts(page, asyncio.Event())
    await page.get_by_role("link", name="Next").click()
    await expect(page).to_have_url(re.compile("cursor="))
    await expect(page.get_by_text("All 120 that match are selected")).to_be_visible()
    await expect(page.locator(".pagination")).to_contain_text("50 of 120 jobs")


async def test_counts_of_a_search_that_was_left_are_not_shown(desks: Desks, page: Page, watch: Watch) -> None:
    watch.allow("net::ERR_ABORTED")
    desk = desks.large
    await page.goto(desk.url())
    release = asyncio.Event()
    await _hold_counts(page, release)
    await page.get_by_role("searchbox").fill("noo")
    await expect(page.get_by_role("navigation", name="Jobs by state")).to_have_attribute("aria-busy", "true")
    async with page.expect_event("requestfailed", lambda request: "/jobs/counts?" in request.url):
        await page.get_by_role("searchbox").fill("nowhere")
    await expect(page.get_by_role("heading", name="No jobs match")).to_be_visible()
    release.set()
    await expect(page.get_by_role("link", name="pending 0")).to_be_visible()
    await expect(page.locator(".pagination")).to_contain_text("0 of 0 jobs")


async def test_a_page_that_has_all_needs_no_counts(desk: Desk, page: Page) -> None:
    failed, done = desk.done("sleep", FAILING, description="Orders A").id, desk.done(description="Orders B").id
    other = desk.done(description="Returns").id
    asked = await _hold_counts(page, asyncio.Event())
    await page.goto(desk.url())
    await shows(page, other, done, failed)
    await page.get_by_role("searchbox").fill("orders")
    await shows(page, done, failed)
    for state in ("failed", "succeeded"):
        await expect(page.get_by_role("link", name=f"{state} 1")).to_be_visible()
    await expect(page.get_by_role("link", name="All 2")).to_be_visible()
    await expect(page.locator(".pagination")).to_contain_text("2 of 2 jobs")
    assert not asked


async def test_one_search_for_a_word_typed_fast(desk: Desk, page: Page) -> None:
    """A burst of keys is one question, and only its last answer is shown."""
    found = desk.done(description="Load the orders").id
    desk.done(description="Load the offers")
    await page.goto(desk.url())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/jobs?" in request.url else None)
    await page.get_by_role("searchbox").focus()
    typed = "['o','or','ord','orde'].forEach(t => { const f = document.activeElement; f.value = t; f.dispatchEvent("
    await page.evaluate(f"{typed}new Event('input', {{bubbles: true}})); }})")
    await shows(page, found)
    assert [url.split("q=")[1] for url in asked] == ["orde"]
    await expect(row(page, found)).to_be_visible()


async def _hold_counts(page: Page, release: asyncio.Event) -> list[str]:
    """Let requests for counts wait; their addresses."""
    asked: list[str] = []

    async def wait(route: Route) -> None:
        asked.append(route.request.url)
        await release.wait()
        await route.continue_()

    await page.route("**/jobs/counts?*", wait)
    return asked


async def _places(page: Page) -> list[float]:
    """Where the tabs and the table stand."""
    found: list[float] = await page.evaluate(
        "[...document.querySelectorAll('#jobs-tabs a, #jobs-table')].map(e => Math.round(e.getBoundingClientRect().x))"
    )
    return found
