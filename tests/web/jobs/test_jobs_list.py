"""The list of jobs: what its rows say, order, pages, and what it says when there is nothing."""

from __future__ import annotations

import re

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import Axe, OpenPage
from tests.web.deck import Deck
from tests.web.jobs.desks import Desks
from tests.web.jobs.words import FAILING, LONG, Desk, has_query, row, rows, shows
from tests.web.watch import Watch


async def test_a_row_says_what_the_job_is(desk: Desk, page: Page) -> None:
    job = desk.done("sleep", {"seconds": 0.01}, description="Load the orders", tags=["nightly"])
    await page.goto(desk.url())
    found = row(page, job.id)
    await expect(found.locator(".state")).to_have_text("succeeded")
    await expect(found.get_by_role("link", name="Load the orders")).to_have_attribute(
        "href", f"/jobs/{job.id}?project={desk.project}"
    )
    for text in ("sleep", "admin", "just now"):
        await expect(found).to_contain_text(text)
    await expect(page.get_by_role("link", name="succeeded 1")).to_be_visible()


async def test_a_failed_row_says_why_and_retries(desk: Desk, page: Page) -> None:
    job = desk.done("sleep", FAILING)
    assert job.error is not None
    await page.goto(desk.url())
    await expect(row(page, job.id).locator(".job-why")).to_contain_text(job.error.message)
    await page.get_by_role("button", name=f"Why job {job.id} failed").click()
    why = page.get_by_role("dialog", name=f"Why job {job.id} failed")
    await expect(why).to_contain_text(job.error.code)
    await expect(why).to_contain_text(job.error.message)
    await why.get_by_role("button", name="Retry").click()
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("in the queue again")
    assert desk.client.jobs.get(job.id).state in ("pending", "running", "failed")
    assert any(event.kind == "resumed" for event in desk.client.jobs.events(job.id))


async def test_a_pending_row_says_what_it_waits_for(desk: Desk, page: Page) -> None:
    holder = desk.submit("sleep", LONG | {"write": "lake/in.web/held"})
    desk.until(holder.id, lambda job: job.state == "running")
    waiting = desk.submit("sleep", LONG | {"write": "lake/in.web/held"})
    await page.goto(desk.url())
    link = row(page, waiting.id).get_by_role("link", name=f"job {holder.id}")
    await expect(link).to_have_attribute("href", f"/jobs/{holder.id}?project={desk.project}")
    # The line is cut at its end: who holds what is needed stands in front.
    why = row(page, waiting.id).locator(".job-why")
    told = f"^next in line waits for job {holder.id}: It needs object:lake/in.web/held"
    await expect(why).to_have_text(re.compile(told))
    assert await link.evaluate("a => a.getBoundingClientRect().right < a.closest('td').getBoundingClientRect().right")
    for job in (waiting, holder):
        desk.client.jobs.cancel(job.id)


async def test_order_by_column_headers_and_back(desk: Desk, page: Page) -> None:
    desk.limit(0)
    low, high, middle = (desk.submit(priority=p).id for p in (1, 9, 5))
    await page.goto(desk.url("sort=-priority"))
    await shows(page, high, middle, low)
    await page.get_by_role("columnheader", name="Queued").get_by_role("link").click()
    await expect(page.get_by_role("columnheader", name="Queued")).to_have_attribute("aria-sort", "descending")
    await shows(page, middle, high, low)
    await page.get_by_role("columnheader", name="Queued").get_by_role("link").click()
    await shows(page, low, high, middle)
    await has_query(page, "sort=created_at")
    await page.go_back()
    await shows(page, middle, high, low)


async def test_pages_forth_and_back(desks: Desks, page: Page) -> None:
    desk = desks.large
    await page.goto(desk.url())
    await expect(rows(page)).to_have_count(50)
    await expect(page.locator("#jobs-foot")).to_contain_text("50 of 120 jobs")
    first = await rows(page).first.get_attribute("id")
    await page.get_by_role("link", name="Next").click()
    await expect(rows(page).first).not_to_have_id(first or "")
    second = await rows(page).first.get_attribute("id")
    await page.reload()
    await expect(rows(page).first).to_have_id(second or "")
    await page.get_by_role("link", name="Next").click()
    await expect(rows(page)).to_have_count(20)
    await expect(page.get_by_role("link", name="Next")).to_have_count(0)
    await page.get_by_role("link", name="Previous").click()
    await expect(rows(page).first).to_have_id(second or "")
    await page.get_by_role("link", name="Previous").click()
    await expect(rows(page).first).to_have_id(first or "")
    await page.get_by_role("navigation", name="Jobs on a page").get_by_role("link", name="200").click()
    await expect(rows(page)).to_have_count(120)


@pytest.mark.parametrize("sort", ["-started_at", "ended_at", "-duration", "-priority", "state", "type"])
async def test_every_order_has_its_pages(desks: Desks, page: Page, sort: str) -> None:
    """Whatever the order: forth and back shows each job once."""
    desk = desks.large
    await page.goto(desk.url(f"sort={sort}"))
    ids = "rows => rows.map(r => r.id)"
    await expect(rows(page)).to_have_count(50)
    first = await rows(page).evaluate_all(ids)
    await page.get_by_role("link", name="Next").click()
    await expect(page.locator(f"#{first[0]}")).to_have_count(0)
    second = await rows(page).evaluate_all(ids)
    assert not set(first) & set(second)
    await page.get_by_role("link", name="Previous").click()
    await expect(page.locator(f"#{first[0]}")).to_have_count(1)
    assert await rows(page).evaluate_all(ids) == first


async def test_columns_and_density_are_kept(desk: Desk, page: Page) -> None:
    desk.done(tags=["blue"])
    await page.goto(desk.url())
    await expect(page.get_by_role("columnheader", name="Tags")).to_be_hidden()
    await page.get_by_role("button", name="Columns").click()
    menu = page.get_by_role("dialog", name="Columns")
    await menu.get_by_role("checkbox", name="Tags").check()
    await menu.get_by_role("checkbox", name="Ended").uncheck()
    await menu.get_by_role("radio", name="Comfortable").check()
    await page.reload()
    await expect(page.get_by_role("columnheader", name="Tags")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Ended")).to_be_hidden()
    await expect(page.locator("html")).to_have_attribute("data-density", "comfortable")


async def test_nothing_has_run_yet_and_nothing_matches(desk: Desk, page: Page) -> None:
    await page.goto(desk.url())
    await expect(page.get_by_role("heading", name="No job has run here yet")).to_be_visible()
    await expect(page.locator(".empty")).not_to_contain_text("jobdeck ")  # who is in a browser is told of a button
    button = page.locator(".empty").get_by_role("link", name="Run something")
    colours = "(button) => [button, button.querySelector('.icon')].map((part) => getComputedStyle(part).color)"
    assert len(set(await button.evaluate(colours))) == 1
    await page.goto(desk.url("state=failed"))
    await expect(page.get_by_role("heading", name="No jobs match")).to_be_visible()
    await page.locator(".empty").get_by_role("link", name="Clear filters").click()
    await expect(page.get_by_role("heading", name="No job has run here yet")).to_be_visible()


async def test_a_viewer_looks_and_does_nothing(desk: Desk, deck: Deck, open_page: OpenPage) -> None:
    desk.limit(0)
    job = desk.submit()
    page = await open_page(token=deck.token(f"viewer-{desk.project}", "viewer", desk.project))
    await page.goto("/jobs")
    await shows(page, job.id)
    await expect(page.get_by_role("checkbox", name=f"Select job {job.id}")).to_have_count(0)
    await page.get_by_role("button", name=f"Actions of job {job.id}").click()
    menu = page.locator("#row-menu")
    await expect(menu).to_contain_text("the role 'operator' is needed")
    await expect(menu.get_by_role("menuitem", name="Cancel")).to_have_count(0)


async def test_a_project_that_is_not_there(page: Page, watch: Watch) -> None:
    watch.allow_status(404)
    await page.goto("/jobs?project=nowhere")
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def test_what_is_no_filter_is_refused_and_parts_are_no_pages(desk: Desk, deck: Deck) -> None:
    """A filter that was misspelt must not show, and let people operate on, all jobs."""
    with httpx2.Client(base_url=deck.url, timeout=60) as client:
        client.post("/login", data={"token": deck.admin})
        for query in ("stat=failed", "typ=import", "state=broken", "since=soon", "limit=7", "cursor=x", "sort=color"):
            assert client.get(desk.url(query)).status_code == 422, query
        for path in ("/jobs/changes", "/jobs/filter/state", "/jobs/bulk/1"):
            assert client.get(path).status_code == 404
        assert client.get("/jobs/filter/none", headers={"X-Jobdeck-Fragment": "true"}).status_code == 404


async def test_it_is_accessible(desks: Desks, open_page: OpenPage, axe: Axe) -> None:
    desk = desks.mixed
    page = await open_page(width=1440)
    await page.goto(desk.url("limit=100&priority=5&since=1d"))
    await expect(rows(page).first).to_be_visible()
    await axe(page)
    await page.get_by_role("button", name="Add filter").click()
    await axe(page)
    await page.get_by_role("menuitem", name="Started").click()
    await expect(page.get_by_role("dialog", name="Filter")).to_be_visible()
    await axe(page)
    await page.keyboard.press("Escape")
    await rows(page).first.get_by_role("button", name="Actions of job").click()
    await axe(page)
    await page.keyboard.press("Escape")
    await rows(page).first.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Cancel…").click()
    await expect(page.locator("#bulk-form")).to_be_visible()
    await axe(page)


async def test_narrow_rows_are_cards_and_filters_are_sheets(desks: Desks, open_page: OpenPage) -> None:
    desk = desks.mixed
    page = await open_page(width=390, height=800)
    await page.goto(desk.url())
    # The heads are a line above the cards: all of them, and what to sort by.
    await expect(page.locator("#pick-page")).to_be_in_viewport()
    first = rows(page).first
    for part in (".state", ".job-link", ".job-actions button"):
        await expect(first.locator(part).first).to_be_in_viewport()
    await page.get_by_role("button", name="Add filter").click()
    await page.get_by_role("menuitem", name="State").click()
    sheet = await page.get_by_role("dialog", name="Filter").bounding_box()
    assert sheet is not None
    assert sheet["width"] == 390
    assert sheet["y"] + sheet["height"] == pytest.approx(800, abs=2)
