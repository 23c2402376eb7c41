"""The head of a job's page: why it stands so, and every operation, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.job.shown import Shown
from tests.web.jobs.words import FAILING, LONG, Desk, is_live
from tests.web.watch import Watch

SHORT = {"seconds": 0.01}


async def state_of(page: Page, state: str) -> None:
    await expect(page.locator("#job-head .page-head .state")).to_have_text(state)


async def visit(page: Page, job: int, tab: str = "") -> None:
    await page.goto(f"/jobs/{job}{tab}")
    await is_live(page)


async def test_job_that_is_not_there_or_not_visible_is_a_page(
    page: Page, shown: Shown, deck: Deck, open_page: OpenPage, watch: Watch
) -> None:
    watch.allow_status(404)
    await page.goto("/jobs/999999999")
    await expect(page.get_by_text("There is no job 999999999.")).to_be_visible()
    stranger = await open_page(token=deck.token("stranger", "viewer", deck.project()))
    await stranger.goto(f"/jobs/{shown.failed}/logs")
    await expect(stranger.get_by_text(f"There is no job {shown.failed}.")).to_be_visible()


async def test_waiting_job_names_the_holder_and_starts_in_place(page: Page, desk: Desk) -> None:
    holder = desk.submit("sleep", {**LONG, "write": "lake/in.shop/held"}).id
    desk.until(holder, lambda job: job.state == "running")
    waiting = desk.submit("sleep", {**SHORT, "write": "lake/in.shop/held"}).id
    await visit(page, waiting)
    why = page.get_by_role("region", name="Why it waits")
    await expect(why).to_contain_text(f"It needs object:lake/in.shop/held for itself, and job {holder} holds it.")
    await expect(why.get_by_role("link", name=str(holder))).to_have_attribute("href", f"/jobs/{holder}")
    claim = page.locator(".job-claims li", has_text="object:lake/in.shop/held")
    await expect(claim).to_contain_text("waited for")
    desk.client.jobs.cancel(holder)
    await state_of(page, "succeeded")
    await expect(why).to_have_count(0)
    await expect(claim).to_contain_text("given back")
    await expect(page.locator("#job-said")).to_have_text(f"Job {waiting} is succeeded now.")


async def test_failed_job_says_why_and_leads_on(page: Page, shown: Shown, deck: Deck, open_page: OpenPage) -> None:
    await visit(page, shown.failed)
    why = page.get_by_role("region", name="Why it failed")
    await expect(why).to_contain_text("Step 'sleep-0' was asked to fail 99 times; this is time 1.")
    await expect(why).to_contain_text("sleep_failed")
    kind = why.get_by_role("link", name="Failures of this kind")
    await expect(kind).to_have_attribute("href", re.compile("^/failures/[0-9a-f]+$"))
    assert (await page.request.get(await kind.get_attribute("href") or "")).status == 200
    await expect(why.get_by_role("link", name="Jobs that failed this way")).to_have_attribute(
        "href", re.compile("^/jobs[?]error=[0-9a-f]+&state=failed$")
    )
    await why.get_by_text("Traceback", exact=True).click()
    await expect(why.locator("pre")).to_contain_text("SleepFailed")
    reader = await open_page(token=deck.token("reader", "viewer", shown.project))
    await visit(reader, shown.failed)
    await expect(reader.get_by_text("was asked to fail")).to_be_visible()
    await expect(reader.get_by_text("Traceback")).to_have_count(0)


async def test_refused_operations_give_their_reasons(page: Page, shown: Shown, deck: Deck, open_page: OpenPage) -> None:
    reader = await open_page(token=deck.token("looker", "viewer", shown.project))
    await visit(reader, shown.failed)
    await expect(reader.locator(".job-acts > .button[data-op]")).to_have_count(0)
    await reader.get_by_role("button", name=f"All actions of job {shown.failed}").click()
    menu = reader.get_by_role("menu", name=f"All actions of job {shown.failed}")
    (only,) = await menu.get_by_role("menuitem").all()  # one reason for all of them is said once
    await expect(only).to_have_attribute("aria-disabled", "true")
    await expect(only).to_contain_text("the role 'operator' is needed")
    await reader.keyboard.press("Escape")
    await reader.keyboard.press("c")
    await expect(reader.locator(".toast")).to_contain_text("the role 'operator' is needed")
    await visit(page, shown.imported)
    await page.keyboard.press("p")
    await expect(page.locator(".toast")).to_contain_text("it has succeeded")


async def test_pause_and_resume_by_keyboard(page: Page, desk: Desk) -> None:
    desk.limit(0)
    job = desk.submit("sleep", SHORT).id
    await visit(page, job)
    await page.keyboard.press("p")
    dialog = page.get_by_role("dialog", name=f"Pause job {job}?")
    await dialog.get_by_label("Resume by itself at").fill("2099-01-02T03:04")
    await dialog.get_by_label("Reason").fill("for the backup")
    await page.keyboard.press("Enter")
    await state_of(page, "paused")
    why = page.get_by_role("region", name="It is paused")
    await expect(why).to_contain_text("It is paused by admin just now: for the backup.")
    await expect(why).to_contain_text("It resumes by itself Jan 2, 2099")
    desk.limit(5)
    await page.keyboard.press("u")
    await expect(page.get_by_role("button", name="Resume it")).to_be_focused()
    await page.keyboard.press("Enter")
    await state_of(page, "succeeded")


async def test_cancel_needs_more_than_enter(page: Page, desk: Desk) -> None:
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    await visit(page, job)
    await page.keyboard.press("c")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await state_of(page, "pending")
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await page.get_by_role("dialog").get_by_label("Reason").fill("a slip")
    await page.get_by_role("button", name="Cancel the job").click()
    await state_of(page, "canceled")
    await expect(page.get_by_role("region", name="It was canceled")).to_contain_text(
        "It was canceled by admin just now: a slip."
    )
    assert desk.client.jobs.get(job).reason == "a slip"


async def test_delete_leads_to_the_list_and_tells_the_others(
    page: Page, desk: Desk, open_page: OpenPage, watch: Watch
) -> None:
    watch.allow_status(404)
    job = desk.done("noop").id
    other = await open_page()
    await visit(other, job)
    await visit(page, job, f"?project={desk.project}")
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Delete it").click()
    await page.wait_for_url(f"**/jobs?project={desk.project}")
    await expect(other.get_by_role("alert").filter(has_text="was deleted")).to_be_visible()


async def test_restart_begins_another_attempt(page: Page, desk: Desk) -> None:
    job = desk.done("sleep", {**FAILING, "fail_times": 1}).id
    await visit(page, job)
    await page.get_by_role("button", name="Restart").click()
    await page.get_by_role("button", name="Restart it").click()
    await state_of(page, "succeeded")
    await expect(page.get_by_role("link", name="Attempt 2")).to_be_visible()


async def test_refusal_by_the_server_stays_in_the_dialog(page: Page, desk: Desk, watch: Watch) -> None:
    watch.allow_status(409)
    desk.limit(0)
    job = desk.submit("sleep", LONG).id
    await visit(page, job)
    await page.keyboard.press("p")
    desk.client.jobs.cancel(job)
    await page.get_by_role("button", name="Pause it").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("it was canceled")


async def test_priority_can_be_changed_while_it_waits(page: Page, desk: Desk) -> None:
    desk.limit(0)
    job = desk.submit("noop").id
    await visit(page, job)
    await page.get_by_label("Priority").select_option("8")
    await expect(page.locator("#job-said")).to_have_text("The priority is 8 now.")
    assert desk.client.jobs.get(job).priority == 8
    desk.client.jobs.set_priority(job, 2)
    await expect(page.get_by_label("Priority")).to_have_value("2")


async def test_run_again_with_a_change_is_the_form_that_the_list_leads_to(page: Page, desk: Desk) -> None:
    job = desk.done("sleep", {"seconds": 0.01, "tasks": 2}).id
    await page.goto(f"{desk.deck.url}/jobs")
    await page.locator(f"#job-{job} [data-row-menu]").click()
    form = await page.get_by_role("menuitem", name="Run again with changes").get_attribute("href")
    await visit(page, job)
    await page.keyboard.press("e")
    await page.wait_for_url(f"**{form}")
    await page.get_by_label("Seconds").fill("0.02")
    await expect(page.locator("#run-changes")).to_contain_text("0.02")


async def test_run_again_with_changes_opens_the_form(page: Page, desk: Desk) -> None:
    job = desk.done("sleep", {"seconds": 0.01, "tasks": 2}).id
    await visit(page, job, f"?project={desk.project}")
    await page.keyboard.press("e")
    await page.wait_for_url(re.compile(rf"/run/sleep[?](project={desk.project}&)?from={job}(&|$)"))
    await page.get_by_label("Seconds").fill("0.02")
    await page.get_by_role("button", name="Run again").click()
    await page.wait_for_url(re.compile(rf"/jobs/(?!{job}[?])[0-9]+[?]"))
    await expect(page.get_by_role("heading", name=f"Different from job {job}")).to_be_visible()
    await expect(page.get_by_role("row", name="seconds changed 0.01 0.02")).to_be_visible()


async def test_run_again_as_it_was(page: Page, desk: Desk) -> None:
    job = desk.done("noop").id
    await visit(page, job)
    await page.get_by_role("button", name="Run again", exact=True).dblclick()
    await page.get_by_role("button", name="Run it", exact=True).click()
    await page.wait_for_url(re.compile(rf"/jobs/(?!{job}$)[0-9]+$"))
    await expect(page.get_by_text("It runs with the same parameters.")).to_be_visible()


async def test_what_one_does_survives_what_happens(page: Page, desk: Desk) -> None:
    job = desk.submit("sleep", {"seconds": 600, "tasks": 2}).id
    desk.until(job, lambda seen: seen.state == "running")
    await visit(page, job)
    await expect(page.locator("#job-head progress")).not_to_have_attribute("value", "0.0000", timeout=15_000)
    await page.get_by_role("button", name=f"All actions of job {job}").click()
    menu = page.locator("#job-menu")
    before = await page.locator(".job-pace").inner_text()
    await page.wait_for_function("text => document.querySelector('.job-pace').innerText !== text", arg=before)
    await expect(menu).to_be_visible()
    await page.locator("#item-pause").click()
    reason = page.get_by_role("dialog").get_by_label("Reason")
    await reason.fill("typing")
    await reason.press_sequentially(" on")
    desk.client.jobs.pause(job)
    await state_of(page, "paused")
    await expect(reason).to_have_value("typing on")
    await expect(reason).to_be_focused()


@pytest.mark.parametrize("number", range(1, 7))
async def test_tabs_by_number(page: Page, shown: Shown, number: int) -> None:
    await page.goto(f"/jobs/{shown.failed}")
    await page.keyboard.press(str(number))
    end = ["", "/steps", "/events", "/logs", "/family", "/attempts"][number - 1]
    await page.wait_for_url(f"**/jobs/{shown.failed}{end}")
    await expect(page.locator("#job-head .tabs [aria-current=page]")).to_have_count(1)
