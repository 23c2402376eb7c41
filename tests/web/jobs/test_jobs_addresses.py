"""The address says all that is shown, columns and density too; a saved view has one; what others append is ignored."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.jobs.desks import Desks
from tests.web.jobs.words import Desk, has_query, settled, shows


async def can_copy(page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])


async def copied(page: Page) -> str:
    await expect(page.get_by_text("The link is copied.").last).to_be_visible()
    return str(await page.evaluate("navigator.clipboard.readText()"))


async def test_a_link_shows_the_same_columns_and_density_to_others(desk: Desk, open_page: OpenPage) -> None:
    job = desk.done(tags=["blue"]).id
    mine, theirs = await open_page(width=1440), await open_page(width=1440)
    await mine.goto(desk.url("state=succeeded"))
    await mine.get_by_role("button", name="Columns").click()
    await mine.get_by_role("checkbox", name="Tags").check()
    await mine.get_by_role("checkbox", name="Subject").uncheck()
    await mine.get_by_role("radio", name="Comfortable").check()
    await has_query(mine, "density=comfortable", "state=succeeded")
    assert re.search(r"columns=[a-z,]*tags", mine.url)
    await mine.keyboard.press("Escape")
    await mine.locator("#jobs-tabs").get_by_role("link", name="All").click()
    await expect(mine).not_to_have_url(re.compile("state="))
    assert re.search(r"columns=[a-z,]*tags", mine.url)
    await theirs.goto(mine.url)
    await shows(theirs, job)
    await expect(theirs.get_by_role("columnheader", name="Tags")).to_be_visible()
    await expect(theirs.get_by_role("columnheader", name="Subject")).to_be_hidden()
    await expect(theirs.locator("html")).to_have_attribute("data-density", "comfortable")
    await theirs.goto(desk.url())
    await expect(theirs.get_by_role("columnheader", name="Subject")).to_be_visible()
    await expect(theirs.get_by_role("columnheader", name="Tags")).to_be_hidden()
    await mine.goto(desk.url())
    await expect(mine.get_by_role("columnheader", name="Tags")).to_be_visible()
    await has_query(mine, "density=comfortable")


async def test_a_copied_link_says_even_what_goes_without_saying(desks: Desks, open_page: OpenPage) -> None:
    """Who opens it may prefer other columns."""
    page = await open_page(width=1440)
    await can_copy(page)
    await page.goto(desks.mixed.url("sort=-priority"))
    await page.get_by_role("button", name="Views").click()
    await page.get_by_role("button", name="Copy a link to exactly this view").click()
    link = await copied(page)
    assert "sort=-priority" in link
    assert "density=compact" in link
    other = await open_page(width=1440)
    await other.goto("/login")
    await other.evaluate("localStorage.setItem('jobdeck-jobs-columns', '-subject +tags')")
    await other.goto(link)
    await expect(other.get_by_role("columnheader", name="Subject")).to_be_visible()
    await expect(other.get_by_role("columnheader", name="Tags")).to_be_hidden()


async def test_a_saved_view_has_an_address(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page(width=1440)
    await can_copy(page)
    desk.limit(0)
    job = desk.submit(tags=["blue"]).id
    desk.submit()
    await page.goto(desk.url("tag=blue&columns=state,job,progress,tags&density=comfortable"))
    await page.get_by_role("button", name="Views").click()
    await page.get_by_label("Save what is shown as").fill(f"Blue of {desk.project}")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name=f"Copy the address of the view Blue of {desk.project}").click()
    link = await copied(page)
    assert re.search(r"/jobs/views/\d+", link)
    await page.goto(desk.url())
    await page.goto(link)
    await shows(page, job)
    await has_query(page, "tag=blue", "density=comfortable")
    await expect(page.get_by_role("columnheader", name="Tags")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Queued")).to_be_hidden()
    await page.goto(f"{desk.deck.url}/jobs")
    await page.get_by_role("button", name="Views").click()
    await page.get_by_role("link", name=f"Blue of {desk.project}").click()
    await shows(page, job)
    await has_query(page, "tag=blue", "density=comfortable")
    await expect(page.get_by_role("columnheader", name="Queued")).to_be_hidden()


@pytest.mark.parametrize(
    "path",
    ["/jobs?utm_source=x&fbclid=1", "/failures?utm_source=x", "/run?utm_source=x", "/run/noop?utm_source=x",
     "/operations?utm_source=x", "/jobs?columns=state,job,no_such_column&density=airy"],
)  # fmt: skip
async def test_what_links_have_in_addition_means_nothing(page: Page, path: str) -> None:
    answer = await page.goto(path)
    assert answer is not None
    assert answer.status == 200
    await expect(page.locator("main h1")).to_be_visible()


async def test_what_links_have_in_addition_is_not_carried_on(desks: Desks, page: Page) -> None:
    await page.goto(desks.mixed.url("utm_source=x"))
    await page.locator("#jobs-tabs .state-failed").click()
    await settled(page)
    await expect(page).to_have_url(re.compile("state=failed"))
    assert "utm_source" not in page.url
