"""A search that takes long: the page is filled piece by piece, and ends where the list does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, Route, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.jobs import archives
from tests.web.jobs.words import shows

NEEDLES = f"/jobs?project={archives.PROJECT}&q=needle"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """A server with a long archive and no patience."""
    folder = tmp_path_factory.mktemp("slow")
    archives.fill(folder / "home")
    (folder / "sitecustomize.py").write_text(archives.IMPATIENT)
    path = filter(None, (str(folder), os.environ.get("PYTHONPATH")))
    made = Deck(folder / "home", {"PYTHONPATH": os.pathsep.join(path)})
    made.start()
    yield made
    made.stop()


async def test_a_page_fills_up_piece_by_piece(slow: Deck, open_page: OpenPage) -> None:
    page = await open_page(at=slow)
    found, further = archives.ids(), asyncio.Event()
    held = await _hold_further(page, further)
    await page.goto(NEEDLES)
    await shows(page, *found[: 4 * archives.EACH])
    await expect(page.get_by_text("Searching further back…")).to_be_visible()
    await expect(page.locator(".pagination")).to_contain_text(f"{4 * archives.EACH} of {len(found)} jobs")
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    further.set()
    await shows(page, *found[:50])
    await expect(page.get_by_text("Searching further back…")).to_be_hidden()
    await expect(page.locator(".pagination")).to_contain_text(f"50 of {len(found)} jobs")
    await expect(page.get_by_text(f"{4 * archives.EACH} selected")).to_be_visible()
    assert held == [18]
    await page.get_by_role("link", name="Next").click()
    await shows(page, *found[50:])
    await expect(page.get_by_text("Searching further back…")).to_be_hidden()
    await expect(page.get_by_role("link", name="Next")).to_have_count(0)
    await page.get_by_role("link", name="Previous").click()
    await shows(page, *found[:50])


async def test_what_is_found_far_back_only(slow: Deck, open_page: OpenPage) -> None:
    page = await open_page(at=slow)
    await page.goto(f"/jobs?project={archives.PROJECT}")
    await page.get_by_role("searchbox").fill("rare")
    await shows(page, *archives.ids()[-archives.EACH :])
    await expect(page.get_by_role("columnheader", name="State")).to_be_visible()
    await expect(page.locator(".pagination")).to_contain_text(f"{archives.EACH} of {archives.EACH} jobs")
    await expect(page.get_by_text("Searching further back…")).to_be_hidden()


async def test_what_is_nowhere(slow: Deck, open_page: OpenPage) -> None:
    page = await open_page(at=slow)
    await page.goto(f"/jobs?project={archives.PROJECT}&q=nowhere")
    await expect(page.get_by_role("heading", name="No jobs match")).to_be_visible()
    await expect(page.get_by_text("Searching further back…")).to_be_hidden()
    await expect(page.locator(".pagination")).to_contain_text("0 of 0 jobs")


async def test_a_search_is_stopped(slow: Deck, open_page: OpenPage) -> None:
    page = await open_page(at=slow)
    await _hold_further(page, asyncio.Event())
    await page.goto(NEEDLES)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("Searching further back…")).to_be_hidden()
    await shows(page, *archives.ids()[: 4 * archives.EACH])


async def _hold_further(page: Page, release: asyncio.Event) -> list[int]:
    """Let requests for further pieces wait; the room that each asks for."""
    rooms: list[int] = []

    async def wait(route: Route) -> None:
        rooms.append(int(route.request.url.split("room=")[1].split("&")[0]))
        await release.wait()
        await route.continue_()

    await page.route("**/jobs?*room=*", wait)
    return rooms
