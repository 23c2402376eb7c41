"""A job's page in states that are easily told wrong: steps not begun, long errors, failed children, pauses."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.job.shown import Shown
from tests.web.jobs.words import FAILING, LONG, Desk, is_live
from tests.web.watch import Watch

LATE = """
const skew = 3 * 3600e3, Real = Date;
window.Date = class extends Real {
  constructor(...given) { if (given.length) super(...given); else super(Real.now() + skew); }
  static now() { return Real.now() + skew; }
};
"""
"""A browser whose clock is three hours ahead."""


def put_error(deck: Deck, job: int, message: str) -> None:
    with closing(sqlite3.connect(deck.home / "jobdeck.db", timeout=20)) as database, database:
        database.execute("UPDATE jobs SET error_message = ? WHERE id = ?", (message, job))


async def test_steps_that_have_not_begun_wait(page: Page, desk: Desk) -> None:
    job = desk.submit("sleep", {**LONG, "steps": 4}).id
    desk.until(job, lambda seen: seen.state == "running" and seen.progress.done > 0)
    await page.goto(f"/jobs/{job}/steps")
    await is_live(page)
    rows = page.locator(".job-timeline tbody tr")
    await expect(rows).to_have_count(5)
    await expect(rows.nth(1)).to_contain_text("running")
    for place in (2, 3, 4):
        await expect(rows.nth(place)).to_contain_text(re.compile(rf"sleep-{place - 1}\s+waiting"))
    desk.client.jobs.cancel(job)
    await expect(rows.nth(4)).to_contain_text("not begun")


async def test_steps_of_a_waiting_job_are_known(page: Page, desk: Desk) -> None:
    desk.limit(0)
    job = desk.submit("sleep", {**LONG, "steps": 3}).id
    await page.goto(f"/jobs/{job}/steps")
    await expect(page.locator(".job-planned")).to_have_count(3)


async def test_failed_children_are_a_click_away(page: Page, desk: Desk) -> None:
    desk.limit(0)
    parent = desk.submit("sleep", {"seconds": 0.01}).id
    failing = desk.submit("sleep", FAILING, parent=parent).id
    stopped = desk.submit("sleep", LONG, parent=parent).id
    desk.client.jobs.cancel(stopped)
    desk.limit(5)
    desk.client.jobs.wait(parent, timeout=30)
    await page.goto(f"/jobs/{parent}")
    why = page.get_by_role("region", name="Why it failed")
    await expect(why).to_contain_text("2 of its child jobs did not succeed")
    await expect(why.get_by_role("link", name=str(failing), exact=True)).to_have_attribute("href", f"/jobs/{failing}")
    await expect(why.get_by_role("link", name="Failed tasks")).to_have_count(0)
    await expect(why.get_by_role("link", name="1 child that was canceled")).to_be_visible()
    await why.get_by_role("link", name="1 child that failed").click()
    await page.wait_for_url(f"**/jobs/{parent}/family?state=failed")
    await expect(page.locator(f"#child-{failing}")).to_be_visible()
    await expect(page.locator(f"#child-{stopped}")).to_have_count(0)


async def test_long_texts_leave_the_tabs_in_sight(page: Page, deck: Deck, desk: Desk) -> None:
    job = desk.done("sleep", FAILING, description=f"Load {'the very long name of a table ' * 12}").id
    put_error(deck, job, f"It broke at \u202e the first. {'Words of an error. ' * 160} The end.")
    await page.set_viewport_size({"width": 1440, "height": 800})
    await page.goto(f"/jobs/{job}")
    await is_live(page)
    tabs = page.locator("#job-head > .tabs")
    await expect(tabs).to_be_in_viewport(ratio=1)
    rows = "new Set([...document.querySelectorAll('.job-acts > .button')].map((one) => one.offsetTop)).size"
    assert await page.evaluate(rows) == 1
    end = page.get_by_text("The end.")
    await expect(end).to_be_hidden()
    await page.get_by_text("all of it").click()
    await expect(end).to_have_count(1)
    await expect(page.locator(".job-long-text")).to_be_visible()
    await expect(tabs).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    isolated = "selector => getComputedStyle(document.querySelector(selector)).unicodeBidi"
    assert await page.evaluate(isolated, ".job-long-start") == "isolate"


async def test_what_could_not_be_undone_is_said(page: Page, deck: Deck, desk: Desk) -> None:
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    with closing(sqlite3.connect(deck.home / "jobdeck.db", timeout=20)) as database:
        with database:
            database.execute("UPDATE jobs SET warnings = 1 WHERE id = ?", (job,))
        desk.client.jobs.cancel(job, "a slip")
        with database:
            names = "at, kind, project_id, job_id, actor"
            left = "json_set(data, '$.leftovers', 'The folder /in/part-3 is still there.')"
            which = "WHERE job_id = ? AND kind = 'canceled'"
            database.execute(f"INSERT INTO events ({names}, data) SELECT {names}, {left} FROM events {which}", (job,))
    await page.goto(f"/jobs/{job}")
    left_over = page.get_by_role("region", name="It was canceled, and something is left")
    await expect(left_over).to_contain_text("a slip. The folder /in/part-3 is still there.")
    await expect(left_over).to_contain_text("Remove it by hand")
    await expect(left_over.get_by_role("link", name="Log of the removal")).to_be_visible()


async def test_a_pause_that_holds_it_back_is_ended_with_a_button(page: Page, desk: Desk, open_page: OpenPage) -> None:
    project = desk.project
    desk.client.pauses.set(f"project:{project}", "maintenance")
    job = desk.submit("noop").id
    reader = await open_page(token=desk.deck.token(f"op{project}", "operator", project))
    await reader.goto(f"/jobs/{job}")
    why = reader.get_by_role("region", name="Why it waits")
    await expect(why).to_contain_text("It starts once an administrator lets that go on.")
    await expect(why.get_by_role("button")).to_have_count(0)
    await page.goto(f"/jobs/{job}")
    await is_live(page)
    await expect(page.get_by_text("jobdeck pauses")).to_have_count(0)
    await page.get_by_role("button", name=f"Let the project {project} go on").click()
    await page.get_by_role("button", name="Let it go on").click()
    await expect(page.locator("#job-head .page-head .state")).to_have_text("succeeded")


async def test_times_are_right_by_a_wrong_clock(open_page: OpenPage, desk: Desk) -> None:
    job = desk.done("sleep", FAILING).id
    page = await open_page()
    await page.add_init_script(LATE)
    for path in (f"/jobs/{job}", f"/failures?project={desk.project}"):
        await page.goto(path)
        times = await page.locator("time[data-at=relative]").all_inner_texts()
        assert times
        assert not [text for text in times if "h" in text.replace("hour", "h")], times


async def test_without_scripts_the_page_says_what_it_cannot(open_page: OpenPage, shown: Shown, watch: Watch) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"/jobs/{shown.failed}")
    await expect(page.get_by_text("Scripts are off in this browser")).to_be_visible()
    await expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    await expect(page.get_by_role("link", name="Steps", exact=True)).to_be_visible()
    await page.goto(f"/jobs/{shown.failed}/logs")
    await expect(page.get_by_text("Reading the log")).to_be_hidden()
    text = await page.get_by_role("link", name="All of it as text").get_attribute("href")
    assert "sleep-0" in await (await page.request.get(text or "")).text()
