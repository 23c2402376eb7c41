"""Each control that people know from elsewhere (docs/coming-from.md), done once on the list of jobs."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.architecture.tree import ROOT
from tests.web.jobs.words import FAILING, LONG, Desk, has_query, is_live, pick, row, shows


async def menu(page: Page, job: int, name: str, *, sure: str = "") -> None:
    await page.get_by_role("button", name=f"Actions of job {job}").click()
    await page.get_by_role("menuitem", name=re.compile(f"^{name}")).click()
    if sure:
        await page.get_by_role("button", name=sure).click()


async def state(page: Page, job: int, expected: str) -> None:
    await expect(row(page, job).locator(".state")).to_have_text(expected, timeout=15_000)


async def test_zilliz(desk: Desk, page: Page) -> None:
    await page.set_viewport_size({"width": 1440, "height": 900})  # all columns of that page have room
    failed = desk.done("sleep", FAILING | {"fail_times": 1}, description="Import the orders").id
    running = desk.submit("sleep", LONG, description="Back up the cluster").id
    await page.goto(desk.url())
    await is_live(page)
    for header in ("State", "ID", "Job", "Created by", "Started", "Ended"):
        await expect(page.get_by_role("columnheader", name=header, exact=True)).to_be_visible()
    await expect(row(page, failed)).to_contain_text("Import the orders")
    await page.get_by_role("button", name=f"Why job {failed} failed").click()
    why = page.get_by_role("dialog", name=f"Why job {failed} failed")
    await expect(why).to_contain_text("sleep_failed")
    await why.get_by_role("button", name="Retry").click()
    await state(page, failed, "succeeded")
    await menu(page, running, "Cancel", sure="Cancel the job")
    await state(page, running, "canceled")
    await page.get_by_role("button", name=f"Actions of job {running}").click()
    await expect(page.get_by_role("menuitem", name="View details")).to_have_attribute(
        "href", re.compile(f"/jobs/{running}\\?")
    )


async def test_kylin(desk: Desk, page: Page) -> None:
    other = Desk(desk.deck, desk.client)
    for each in (desk, other):
        each.limit(0)
    first, second = desk.submit("sleep", LONG).id, other.submit("sleep", LONG).id
    await page.goto(desk.url())
    await is_live(page)
    await menu(page, first, "Pause")
    await state(page, first, "paused")
    await menu(page, first, "Resume")
    await state(page, first, "pending")
    await menu(page, first, "Pause")
    await state(page, first, "paused")
    await menu(page, first, "Restart", sure="Restart it")
    await state(page, first, "pending")
    await page.get_by_role("button", name="Refresh", exact=True).click()
    await page.get_by_role("button", name=desk.project).click()
    await page.get_by_role("menuitem", name="All projects").click()
    await expect(page.get_by_role("columnheader", name="Project")).to_be_visible()
    await page.goto(f"/jobs?projects={desk.project},{other.project}")
    await pick(page, first, second)
    await page.get_by_role("button", name="Cancel…").click()
    await page.get_by_role("button", name="Cancel 2 jobs").click()
    await expect(page.locator("#bulk-account")).to_contain_text("2 done", timeout=10_000)
    await page.keyboard.press("Escape")
    for job in (first, second):
        await state(page, job, "canceled")
    await menu(page, first, "Delete", sure="Delete the job")
    await expect(row(page, first)).to_have_attribute("title", "It was deleted.")


async def test_nebulagraph(desk: Desk, page: Page) -> None:
    done = desk.done(description="submit job balance-data").id
    desk.limit(0)
    queued = desk.submit("sleep", LONG).id
    await page.goto(desk.url())
    await page.get_by_role("link", name="succeeded 1").click()
    await shows(page, done)
    await page.get_by_role("link", name=re.compile("^All ")).first.click()
    await shows(page, queued, done)
    await page.get_by_role("link", name="12 h").click()
    await has_query(page, "since=12h")
    await page.get_by_role("searchbox").fill("balance-data")
    await shows(page, done)
    await page.get_by_role("searchbox").fill(str(queued))
    await shows(page, queued)
    await page.get_by_role("button", name="Live").click()
    await page.get_by_role("menuitemradio", name="Every 5 s").click()
    await menu(page, queued, "Pause")
    await state(page, queued, "paused")
    await menu(page, queued, "Resume")
    await state(page, queued, "pending")


async def test_keboola(desk: Desk, page: Page) -> None:
    parent = desk.submit("sleep", LONG | {"write": "lake/in.web/keboola"}).id
    desk.until(parent, lambda job: job.state == "running")
    child = desk.submit("sleep", LONG | {"write": "lake/in.web/keboola"}, parent=parent).id
    await page.goto(desk.url(f"run_id={parent}"))
    await is_live(page)
    await shows(page, child, parent)
    await expect(row(page, child)).to_contain_text(f"child of {parent}")
    await expect(row(page, child).locator(".job-why").get_by_role("link", name=f"job {parent}")).to_be_visible()
    await menu(page, parent, "Cancel", sure="Cancel the job")
    await state(page, child, "canceled")
    await expect(row(page, child)).to_contain_text("with its parent")
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Credits").check()
    await expect(page.get_by_role("columnheader", name="Credits")).to_be_visible()


def test_the_table_names_every_seed() -> None:
    text = (ROOT / "docs" / "coming-from.md").read_text()
    for seed in ("Zilliz", "Kylin", "NebulaGraph", "Keboola"):
        assert f"## {seed}" in text
