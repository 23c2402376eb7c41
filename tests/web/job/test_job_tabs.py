"""The tabs of a job's page, on real jobs: overview, steps, events, family, attempts; narrow, dark, accessible."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import Axe, OpenPage
from tests.web.deck import Deck
from tests.web.job.shown import Shown, write_log
from tests.web.jobs.words import LONG, Desk, is_live

TABS = ("", "/steps", "/events", "/logs", "/family", "/attempts")


async def test_overview_of_an_import(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.imported}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Import .* into lake/in.shop/orders$"))
    await expect(page.get_by_label("Parameters").first).to_contain_text('"into": "lake/in.shop/orders"')
    await expect(page.locator(".job-data tr", has_text="wrote")).to_contain_text("1 500")
    read = page.locator(".job-data tr", has_text="read").get_by_role("link", name="orders.csv (file:")
    async with page.expect_download() as download:
        await read.click()
    assert (await (await download.value).path()).read_text().startswith("id,name\n0,order 0\n")
    for name in ("Created", "Started", "Ended", "Queued", "Running", "Credits", "Token", "Subject"):
        await expect(page.locator("dt", has_text=name).first).to_be_visible()
    await expect(page.locator(".job-claims li", has_text="object:lake/in.shop/orders")).to_contain_text("exclusive")
    await expect(page.get_by_role("link", name="orders", exact=True)).to_have_attribute("href", "/jobs?tag=orders")


@pytest.mark.parametrize("width", [1440, 390])
async def test_rejected_rows_are_a_link_away_from_the_warning(
    open_page: OpenPage, shown: Shown, axe: Axe, width: int
) -> None:
    page = await open_page(width=width)
    await page.goto(f"/jobs/{shown.rejected}/logs")
    await page.get_by_role("link", name="Rejected rows").click()
    card = page.locator("#rejects")
    await expect(card).to_be_in_viewport()
    rows = card.locator("tbody tr", has_text="row ")
    await expect(rows.first).to_contain_text("row 1, line 2")
    await expect(rows.first).to_contain_text("orders of march.csv (file:")
    await expect(rows.first).to_contain_text("not an int64")
    await card.get_by_role("link", name="More rows").click()
    await expect(rows.first).not_to_contain_text("row 1, line 2")
    async with page.expect_download() as download:
        await page.locator("#rejects").get_by_role("link", name="Download all").click()
    async with asyncio.timeout(60):  # the browser's driver has no bound of its own for this
        file = await (await download.value).path()
    assert file.read_bytes().count(b"\n") == 40
    await expect(page.locator(".job-named")).to_contain_text("2 files: orders of march.csv (file:")
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    await page.evaluate("window.scrollTo(0, 0)")  # what the fixed head hides is no target
    if width > 1000:
        await axe(page)


async def test_a_reject_file_that_is_not_there_is_said(page: Page, shown: Shown) -> None:
    answer = await page.request.get(f"/jobs/{shown.rejected}?rejects=t99999-c0000")
    assert answer.status == 404
    assert "has no reject file" in await answer.text()


async def test_steps_of_an_import(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.imported}/steps")
    lines = page.locator(".job-timeline tbody tr")
    await expect(lines).to_have_count(4)
    label = await lines.nth(2).get_by_role("img").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Step load, succeeded")
    await lines.nth(2).get_by_role("link", name="load").click()
    task = page.locator("#task-1-0")
    await expect(task).to_contain_text("succeeded")
    await expect(task).to_contain_text("1 500")


async def test_failed_task_opens_its_error(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.failed}/steps")
    error = page.locator("#error-0-0")
    await expect(error.locator("p", has_text="was asked to fail")).to_be_visible()
    await expect(error.locator("pre")).to_contain_text("SleepFailed")
    await expect(error.get_by_role("link", name="Its log")).to_have_attribute(
        "href", f"/jobs/{shown.failed}/logs?attempt=1&step=sleep-0&task=0"
    )


async def test_ten_thousand_tasks_stay_readable(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.many}/steps")
    await expect(page.locator(".job-density rect.bar-running").first).to_be_attached()
    assert await page.locator("svg rect").count() < 600
    await expect(page.locator(".job-singled")).to_contain_text("task 4711 · bad_row")
    await expect(page.locator(".job-task-table tbody tr")).to_have_count(50)
    await page.get_by_role("link", name="Next").click()
    await expect(page.locator("#task-0-99")).to_be_attached()
    await page.get_by_role("link", name="Failed 3").click()
    await expect(page.locator(".job-task-table tbody tr")).to_have_count(3)
    await page.locator("#task-0-4711 summary").click()
    await expect(page.locator("#task-0-4711")).to_contain_text("Mend the file and resume the job.")
    await page.goto(f"/jobs/{shown.many}/steps?sort=slowest")
    await expect(page.locator(".job-task-table tbody tr").first).to_have_id("task-0-9999")


async def test_step_that_is_not_there_is_said(page: Page, shown: Shown) -> None:
    answer = await page.request.get(f"/jobs/{shown.failed}/steps?step=7")
    assert answer.status == 404
    assert "has no step 7 yet" in await answer.text()


async def test_paused_and_waiting_times_of_a_job_that_ran_in_parts(page: Page, desk: Desk) -> None:
    """Of the job, its step and its tasks."""
    job = desk.submit("sleep", {"seconds": 2, "tasks": 2}).id
    desk.until(job, lambda seen: seen.progress.done > 0)
    desk.client.jobs.pause(job)
    desk.until(job, lambda seen: seen.state == "paused")
    desk.limit(0)
    desk.client.jobs.resume(job)
    await page.goto(f"/jobs/{job}/steps")
    await is_live(page)
    desk.limit(5)
    await expect(page.locator("#job-head .page-head .state")).to_have_text("succeeded", timeout=20_000)
    for part in ("#line-job .job-bars", "#line-0 .job-bars", "#line-0 .job-tasks"):
        for kind in ("paused", "waiting"):
            await expect(page.locator(f"{part} .bar-{kind}").first).to_be_attached()
    label = page.locator("#line-0").get_by_role("img")
    await expect(label).to_have_attribute("aria-label", re.compile("of it paused, .* of it waiting"))


async def test_steps_fill_in_place(page: Page, desk: Desk) -> None:
    desk.limit(0)
    job = desk.submit("sleep", {"seconds": 0.01, "tasks": 3}).id
    await page.goto(f"/jobs/{job}/steps")
    await is_live(page)
    await expect(page.locator(".job-planned")).to_have_count(1)
    desk.limit(5)
    await expect(page.locator("#task-0-2")).to_contain_text("succeeded")


async def test_events_in_both_orders(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.restarted}/events")
    events = page.locator("#event-list > li")
    await expect(events.last).to_contain_text("Accepted by admin")
    await expect(events.first).to_contain_text("Failed: Step 'sleep-0' was asked to fail")
    await expect(events.filter(has_text="as attempt 2 by admin")).to_have_count(1)
    await page.get_by_role("link", name="Oldest first").click()
    await expect(events.first).to_contain_text("Accepted by admin")


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_new_events_gather_behind_a_button(page: Page, desk: Desk, order: str) -> None:
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    await page.goto(f"/jobs/{job}/events?order={order}")
    await is_live(page)
    events = page.locator("#event-list > li")
    await expect(events).to_have_count(1)
    desk.client.jobs.set_priority(job, 7)
    desk.client.jobs.pause(job, "to see it")
    await page.get_by_role("button", name="2 new events").click()
    await expect(events).to_have_count(3)
    newest = events.first if order == "newest" else events.last
    await expect(newest).to_contain_text("Paused; it holds nothing any more: to see it by admin")
    await expect(page.get_by_role("button", name="new event")).to_have_count(0)


async def test_family_up_and_down(page: Page, shown: Shown) -> None:
    family = shown.family
    await page.goto(f"/jobs/{family['parent']}/family")
    await is_live(page)
    children = page.locator(f"#children-of-{family['parent']} > li")
    await expect(children).to_have_count(2)
    await expect(page.locator(f"#child-{family['other']}")).to_contain_text("canceled")
    await page.get_by_text("1 child", exact=True).click()
    await expect(page.locator(f"#child-{family['below']}")).to_contain_text("Check the orders")
    await page.locator(f"#child-{family['below']} a").click()
    await page.wait_for_url(f"**/jobs/{family['below']}*")
    await is_live(page)
    await page.keyboard.press("5")
    chain = page.locator(".job-chain li")
    await expect(chain).to_have_count(3)
    await expect(chain.first).to_contain_text("Back up the shop")
    await page.goto(f"/jobs/{family['child']}/family")
    siblings = page.get_by_role("link", name="1 other child")
    await expect(siblings).to_have_attribute("href", f"/jobs?parent={family['parent']}")
    await page.goto(f"/jobs/{family['parent']}/family?state=canceled")
    await expect(children).to_have_count(1)


async def test_children_change_in_place(page: Page, desk: Desk) -> None:
    desk.limit(0)
    parent = desk.submit("sleep", LONG).id
    child = desk.submit("noop", parent=parent).id
    await page.goto(f"/jobs/{parent}/family")
    await is_live(page)
    await expect(page.locator(f"#child-{child} .state")).to_have_text("pending")
    desk.client.jobs.cancel(child)
    await expect(page.locator(f"#child-{child} .state")).to_have_text("canceled")


async def test_attempts_and_their_steps(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.restarted}/attempts")
    await expect(page.locator("#attempt-2")).to_contain_text("present")
    await page.locator("#attempt-1").get_by_role("link", name="Steps").click()
    await expect(page.get_by_role("navigation", name="Attempt").locator("[aria-current]")).to_have_text("Attempt 1")
    await expect(page.locator(".job-timeline tbody tr")).to_have_count(2)


async def test_tabs_that_have_nothing_say_what_will_be(page: Page, shown: Shown) -> None:
    await page.goto(f"/jobs/{shown.paused}/steps")
    await expect(page.locator(".job-planned").first).to_contain_text("waiting")
    said = {
        "/logs": "Nothing was logged",
        "/family": "It has no children",
        "/attempts": "Attempt 1 has not started",
    }
    for tab, text in said.items():
        await page.goto(f"/jobs/{shown.paused}{tab}")
        await expect(page.get_by_text(text)).to_be_visible()


async def test_all_tabs_are_accessible(open_page: OpenPage, deck: Deck, shown: Shown, axe: Axe) -> None:
    write_log(
        deck,
        shown.restarted,
        [(level, f"{level} {n}") for n in range(40) for level in ("debug", "info", "warning", "error")],
    )
    page = await open_page(width=1440)
    visits = [(shown.restarted, tab) for tab in TABS] + [
        (shown.imported, ""), (shown.many, "/steps"), (shown.paused, ""), (shown.family["parent"], "/family"),
        (shown.family["child"], ""),
    ]  # fmt: skip
    for job, tab in visits:
        await page.goto(f"/jobs/{job}{tab}")
        await is_live(page)
        await axe(page)
    await page.goto(f"/jobs/{shown.restarted}")
    await page.get_by_role("button", name=f"All actions of job {shown.restarted}").click()
    await axe(page)
    await page.locator("#item-restart").click()
    await axe(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("e")
    await expect(page.get_by_role("heading", name=f"What differs from job {shown.restarted}")).to_be_visible()
    await axe(page)
