"""Selecting jobs, and doing something to all of them: the look first, the run, the account."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.jobs.words import FAILING, LONG, Desk, is_live, pick, row, rows, shows
from tests.web.watch import Watch

SHOWN = "#bulk"


async def start(page: Page, operation: str) -> None:
    await page.get_by_role("region", name="Selected jobs").get_by_role("button", name=f"{operation}…").click()
    await expect(page.locator("#bulk-form")).to_be_visible()


async def test_ranges_pages_and_everything_that_matches(desk: Desk, page: Page) -> None:
    desk.limit(0)
    jobs = [desk.submit().id for _ in range(5)]
    await page.goto(desk.url())
    await row(page, jobs[4]).get_by_role("checkbox").click()
    await row(page, jobs[2]).get_by_role("checkbox").click(modifiers=["Shift"])
    await expect(page.get_by_text("3 selected")).to_be_visible()
    await expect(page.get_by_role("checkbox", name="Select all jobs of this page")).to_have_js_property(
        "indeterminate", True
    )
    await page.get_by_role("checkbox", name="Select all jobs of this page").click()
    await expect(page.get_by_text("5 selected")).to_be_visible()
    await page.get_by_role("button", name="Clear the selection").click()
    await expect(page.locator("#batch")).to_be_hidden()
    await pick(page, jobs[0])
    await page.get_by_role("columnheader", name="Queued").get_by_role("link").click()
    await expect(page.get_by_text("1 selected")).to_be_visible()
    await page.get_by_role("link", name="pending 5").click()
    await expect(page.locator("#batch")).to_be_hidden()


async def test_preview_run_and_account_of_a_filter(desk: Desk, page: Page) -> None:
    """Only what the address names is touched, on all its pages; the counts are exact."""
    done = desk.done(tags=["blue"]).id
    desk.limit(0)
    waiting = [desk.submit("sleep", LONG, tags=["blue"]).id for _ in range(60)]
    other = desk.submit("sleep", LONG, tags=["red"]).id
    await page.goto(desk.url("tag=blue"))
    await expect(rows(page)).to_have_count(50)
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await page.get_by_role("button", name="Select all 61 that match").click()
    await expect(page.get_by_text("All 61 that match are selected")).to_be_visible()
    await start(page, "Cancel")
    dialog = page.locator(SHOWN)
    await expect(dialog).to_contain_text("60 of 61 jobs will be canceled")
    await expect(dialog.locator(".bulk-groups")).to_contain_text("1: it has succeeded")
    await expect(dialog.get_by_role("link", name=str(done))).to_have_attribute("href", f"/jobs/{done}")
    await dialog.get_by_label("Reason").fill("not needed any more")
    await dialog.get_by_role("button", name="Cancel 60 jobs").click()
    await expect(dialog.get_by_role("heading")).to_have_text("Done: 60 jobs canceled", timeout=15_000)
    await expect(dialog).to_contain_text("60 done, 1 skipped, 0 failed of 61 jobs")
    await dialog.get_by_text("1 skipped", exact=True).click()
    await expect(dialog.get_by_role("link", name=f"Job {done}")).to_be_visible()
    await dialog.get_by_role("button", name="Close").first.click()
    assert desk.client.jobs.counts(project=desk.project, tag=["blue"])["canceled"] == 60
    assert desk.client.jobs.get(other).state == "pending"
    assert desk.client.jobs.get(waiting[0]).reason == "not needed any more"
    await expect(page.get_by_role("link", name="canceled 60")).to_be_visible()


async def test_every_operation_on_a_selection(desk: Desk, page: Page) -> None:
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    await page.goto(desk.url())
    await is_live(page)
    for operation, button, holds in (
        ("Priority", "Set priority of 1 job", "priority=8"),
        ("Pause", "Pause 1 job", "paused"),
        ("Resume", "Resume 1 job", "pending"),
        ("Pause", "Pause 1 job", "paused"),
        ("Restart", "Restart 1 job", "pending"),
        ("Cancel", "Cancel 1 job", "canceled"),
        ("Delete", "Delete 1 job", ""),
    ):
        await pick(page, job)
        await start(page, operation)
        if operation == "Priority":
            await page.get_by_label("New priority").select_option("8")
        await page.locator(SHOWN).get_by_role("button", name=button).click()
        await expect(page.locator("#bulk-account")).to_contain_text("1 done", timeout=10_000)
        await page.keyboard.press("Escape")
        if holds.startswith("priority"):
            assert desk.client.jobs.get(job).priority == 8
        elif holds:
            await expect(row(page, job).locator(".state")).to_have_text(holds)
    await expect(row(page, job)).to_have_attribute("title", "It was deleted.")


async def test_nothing_is_done_when_the_dialog_is_closed(desk: Desk, page: Page) -> None:
    desk.limit(0)
    job = desk.submit().id
    await page.goto(desk.url())
    await pick(page, job)
    await start(page, "Delete")
    await expect(page.locator(SHOWN)).to_contain_text("0 of 1 job will be deleted")
    await expect(page.locator(SHOWN).get_by_role("button", name="Delete 0 jobs")).to_be_disabled()
    await page.get_by_role("button", name="Keep as they are").click()
    await start(page, "Cancel")
    await page.keyboard.press("Escape")
    assert desk.client.jobs.get(job).state == "pending"


async def test_across_projects(desk: Desk, page: Page) -> None:
    other = Desk(desk.deck, desk.client)
    jobs = []
    for each in (desk, other):
        each.limit(0)
        jobs.append(each.submit("sleep", LONG).id)
    await page.goto(f"/jobs?projects={desk.project},{other.project}")
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await start(page, "Cancel")
    await expect(page.locator(SHOWN)).to_contain_text("2 of 2 jobs will be canceled")
    await page.get_by_role("button", name="Cancel 2 jobs").click()
    await expect(page.locator("#bulk-account")).to_contain_text("2 done", timeout=10_000)
    assert {str(desk.client.jobs.get(job).state) for job in jobs} == {"canceled"}


async def test_every_operation_on_a_row(desk: Desk, page: Page) -> None:
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    await page.goto(desk.url())
    await is_live(page)

    async def choose(name: str, *, sure: str = "") -> None:
        await row(page, job).get_by_role("button", name=f"Actions of job {job}").click()
        await page.get_by_role("menuitem", name=re.compile(f"^{name}")).click()
        if sure:
            await page.get_by_role("button", name=sure).click()

    await choose("Pause")
    await expect(row(page, job).locator(".state")).to_have_text("paused")
    await choose("Resume")
    await expect(row(page, job).locator(".state")).to_have_text("pending")
    await choose("Pause")
    await expect(row(page, job).locator(".state")).to_have_text("paused")
    await choose("Restart", sure="Restart it")
    await expect(row(page, job).locator(".state")).to_have_text("pending")
    await row(page, job).get_by_role("button", name=f"Actions of job {job}").click()
    await expect(page.get_by_role("menuitem", name=re.compile("^Delete"))).to_contain_text("cancel it first")
    await page.keyboard.press("Escape")
    await choose("Cancel", sure="Cancel the job")
    await expect(row(page, job).locator(".state")).to_have_text("canceled")
    await choose("Delete", sure="Delete the job")
    await expect(row(page, job)).to_have_attribute("title", "It was deleted.")


async def test_a_failed_job_is_retried_from_its_row(desk: Desk, page: Page) -> None:
    job = desk.done("sleep", {**FAILING, "fail_times": 1}).id
    await page.goto(desk.url())
    await is_live(page)
    await row(page, job).get_by_role("button", name=f"Retry job {job}").click()
    await expect(row(page, job).locator(".state")).to_have_text("succeeded", timeout=15_000)


async def test_by_keyboard_alone(desk: Desk, open_page: OpenPage, watch: Watch) -> None:
    watch.allow_status(404)  # of the job's own page
    desk.limit(0)
    jobs = [desk.submit("sleep", LONG, description=f"Load {n}").id for n in range(3)]
    page = await open_page()
    await page.goto(desk.url())
    await is_live(page)
    await shows(page, *reversed(jobs))
    await page.keyboard.press("j")
    await expect(row(page, jobs[2]).locator(".job-link")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(row(page, jobs[1]).get_by_role("checkbox")).to_be_checked()
    await page.keyboard.press("k")
    await page.keyboard.press("c")
    await page.get_by_role("button", name="Cancel the job").press("Enter")
    await expect(row(page, jobs[2]).locator(".state")).to_have_text("canceled")
    await expect(row(page, jobs[1]).get_by_role("checkbox")).to_be_checked()
    await page.keyboard.press("m")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu", name="Actions of job")).to_be_hidden()
    await expect(page.get_by_text("1 selected")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("1 selected")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Select the job, or not")
    await page.keyboard.press("Escape")
    await page.keyboard.press("o")
    await page.wait_for_url(f"**/jobs/{jobs[2]}?*")
