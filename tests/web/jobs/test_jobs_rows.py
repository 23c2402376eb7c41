"""What each row has, what its menu leads to, and that what happens shows within a second and moves nothing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.held import held_back
from tests.web.jobs.words import LONG, Desk, has_query, is_live, pick, row, rows, shows
from tests.web.watch import Watch

WITHIN = 1000.0
"""ms from the server's answer to the row that says so."""


async def test_every_column(desk: Desk, open_page: OpenPage, tmp_path: Path) -> None:
    """Rows, rate and estimate, subject, who, times; the project where several are looked at."""
    page = await open_page(width=1440)
    file = tmp_path / "fruit.csv"
    file.write_text("id,name\n1,fig\n2,pear\n")
    params = {"files": [f"file:{desk.client.files.upload(file, project=desk.project).id}"], "into": "lake/in.web/fruit"}
    done = desk.done("import", params)
    running = desk.submit("sleep", {"seconds": 300, "write": "lake/in.web/columns"}, description="Rebuild")
    desk.until(running.id, lambda job: job.progress.eta is not None)
    await page.goto(desk.url())
    headers = await page.get_by_role("columnheader").all_inner_texts()
    shown = [text.split("\n")[0].removesuffix(" ↓").strip() for text in headers]
    assert [text for text in shown if text] == [
        "State", "ID", "Job", "Subject", "Progress", "Created by", "Queued", "Started", "Ended", "Duration", "Actions",
    ]  # fmt: skip
    at_work = row(page, running.id)
    await expect(at_work.locator(".c-progress progress")).to_have_accessible_name(f"Progress of job {running.id}")
    await expect(at_work.locator(".c-progress")).to_contain_text(re.compile(r"\d+ %"))
    await expect(at_work.locator(".c-progress")).to_contain_text(re.compile(r"done in \d+\s?[smh]"))
    await expect(at_work.locator(".c-progress")).not_to_contain_text("ms")
    await expect(at_work.locator(".c-subject")).to_have_text("lake/in.web/columns")
    await expect(row(page, done.id).locator(".c-progress")).to_have_text("2 rows")
    for cell, text in ((".c-by", "admin"), (".c-queued", "now"), (".c-started", "now"), (".c-ended", "now")):
        await expect(row(page, done.id).locator(cell)).to_contain_text(re.compile(f"{text}|ago"))
        await expect(row(page, done.id).locator(".c-started time")).to_have_attribute("title", re.compile(":"))
    await expect(row(page, done.id).locator(".c-duration")).to_contain_text(re.compile(r"\d (ms|s)"))
    await page.goto(f"/jobs?type=sleep&subject=lake/in.web/columns&projects={desk.project},default")
    await expect(row(page, running.id).locator(".c-project")).to_have_text(desk.project)
    desk.client.jobs.cancel(running.id)


async def test_the_menu_runs_a_job_again_with_changes_and_copies_its_id(desk: Desk, page: Page) -> None:
    job = desk.done("sleep", {"seconds": 0.01, "tasks": 2}).id
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(desk.url())
    menu = row(page, job).get_by_role("button", name=f"Actions of job {job}")
    await menu.click()
    await page.get_by_role("menuitem", name="Copy the id").click()
    await expect(page.locator(".toast")).to_contain_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == str(job)
    await menu.click()
    await page.get_by_role("menuitem", name="Run again with changes").click()
    await page.wait_for_url(f"**/run/sleep?from={job}&project={desk.project}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"sleep again, as job {job}")
    await expect(page.get_by_label("Tasks")).to_have_value("2")
    await page.get_by_label("Tasks").fill("3")
    await expect(page.locator("#run-changes")).to_contain_text("changed from")
    await page.get_by_role("button", name="Run again", exact=True).click()
    await page.wait_for_url(re.compile(r"/jobs/\d+"))
    made = desk.client.jobs.get(int(re.findall(r"/jobs/(\d+)", page.url)[0]))
    assert (made.copied_from, made.params["tasks"]) == (job, 3)


WATCH_TEXT = """([selector, wanted]) => new Promise((resolve) => {
    const look = () => document.querySelector(selector)?.textContent.trim() === wanted && resolve(Date.now());
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    look();
})"""


async def test_what_happens_shows_within_a_second_and_moves_nothing(desk: Desk, open_page: OpenPage) -> None:
    """State and count of a job, while one has scrolled, selected and typed."""
    desk.limit(0)
    jobs = [desk.submit("sleep", LONG).id for _ in range(30)]
    page = await open_page(height=420)
    await page.goto(desk.url())
    await is_live(page)
    await pick(page, jobs[0])
    await row(page, jobs[12]).scroll_into_view_if_needed()
    await page.get_by_role("checkbox", name=f"Select job {jobs[12]}").focus()
    scrolled = await page.evaluate("scrollY")
    place = await row(page, jobs[12]).bounding_box()
    assert scrolled > 0
    took = []
    for job, count in ((jobs[29], 1), (jobs[12], 2), (jobs[1], 3)):
        state = asyncio.ensure_future(page.evaluate(WATCH_TEXT, [f"#job-{job} .state", "canceled"]))
        counted = "#jobs-tabs .state-canceled .tab-count"
        tab = asyncio.ensure_future(page.evaluate(WATCH_TEXT, [counted, str(count)]))
        await page.evaluate("0")  # the page has begun to look
        await asyncio.to_thread(desk.client.jobs.cancel, job)
        answered = await page.evaluate("Date.now()")
        took += [max(await state, await tab) - answered]
    assert sorted(took)[1] < WITHIN, took  # of three, so that one hiccup of the machine counts for nothing
    assert await page.evaluate("scrollY") == scrolled
    assert await row(page, jobs[12]).bounding_box() == place
    await expect(page.get_by_role("checkbox", name=f"Select job {jobs[12]}")).to_be_focused()
    await expect(row(page, jobs[0]).get_by_role("checkbox")).to_be_checked()


async def test_every_five_seconds(desk: Desk, page: Page) -> None:
    """Another interval than live asks by itself, and only then."""
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    await page.goto(desk.url())
    await is_live(page)
    await page.clock.install()
    await page.get_by_role("button", name="Live").click()
    choices = await page.get_by_role("menuitemradio").all_inner_texts()
    assert [text.strip() for text in choices] == ["Live", "Every 5 s", "Every 30 s", "Every minute", "Off"]
    await page.get_by_role("menuitemradio", name="Every 5 s").click()
    async with page.expect_response(lambda answer: "/jobs/changes" in answer.url):
        await page.clock.run_for(5_200)
    desk.client.jobs.cancel(job)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/jobs/changes" in request.url else None)
    await page.clock.run_for(4_000)
    await expect(row(page, job).locator(".state")).to_have_text("pending")
    assert not asked
    await page.clock.run_for(1_200)
    await expect(row(page, job).locator(".state")).to_have_text("canceled")


async def test_while_an_answer_is_on_its_way_the_list_says_so(desk: Desk, page: Page, watch: Watch) -> None:
    """It is busy, and what it showed stays; an answer that does not come is told of with the next step."""
    desk.limit(0)
    low, high = desk.submit(priority=1).id, desk.submit(priority=9).id
    await page.goto(desk.url("sort=priority"))
    await shows(page, low, high)
    reached, go = await held_back(page, "**/jobs?*state=failed*")
    await page.get_by_role("link", name="failed 0").click()
    await reached.wait()
    await expect(page.locator("#jobs")).to_have_attribute("aria-busy", "true")
    await expect(rows(page)).to_have_count(2)
    go.set()
    await has_query(page, "state=failed")
    await expect(page.get_by_role("heading", name="No jobs match")).to_be_visible()
    watch.allow_outage()
    await page.route("**/jobs?*", lambda route: route.abort())
    await page.get_by_role("button", name="Refresh", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("cannot be reached")
    await expect(page.locator(".toast")).to_contain_text(re.compile("[Tt]ry again|tried again|back"))
