"""What happens on the server shows on the page, and takes nothing away from the one who works there."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.jobs.words import LONG, Desk, is_live, pick, row, rows, shows
from tests.web.watch import Watch


async def test_states_and_counts_change_in_place(desk: Desk, page: Page) -> None:
    desk.limit(0)
    first, second = desk.submit().id, desk.submit().id
    await page.goto(desk.url())
    await is_live(page)
    desk.client.jobs.cancel(first)
    await expect(row(page, first).locator(".state")).to_have_text("canceled")
    await expect(page.get_by_role("link", name="canceled 1")).to_be_visible()
    await expect(page.get_by_role("link", name="pending 1")).to_be_visible()
    await expect(page.get_by_role("status").filter(has_text="canceled")).to_have_text(f"job {first} canceled")
    await shows(page, second, first)


async def test_many_changes_are_said_as_a_number(desk: Desk, page: Page) -> None:
    """Who listens to the page hears of one job at once, and of those that follow in one sentence."""
    desk.limit(0)
    first, *others = [desk.submit().id for _ in range(6)]
    await page.goto(desk.url())
    await is_live(page)
    said = page.locator("#jobs-said")
    desk.client.jobs.cancel(first)
    await expect(said).to_have_text(f"job {first} canceled")
    desk.client.jobs.cancel(others[0])
    await expect(row(page, others[0]).locator(".state")).to_have_text("canceled")
    desk.client.bulk.wait(desk.client.bulk.run(desk.client.bulk.preview("cancel", ids=others)).id, timeout=30)
    await expect(row(page, others[-1]).locator(".state")).to_have_text("canceled")
    await expect(said).to_have_text("5 jobs changed", timeout=10_000)


async def test_progress_moves(desk: Desk, page: Page) -> None:
    job = desk.submit("sleep", {"seconds": 0.4, "steps": 3, "tasks": 8})
    await page.goto(desk.url())
    await page.wait_for_function(
        "bar => { const at = document.querySelector(bar)?.position; return at > 0 && at < 1 }",
        arg=f"#job-{job.id} progress",
    )
    desk.client.jobs.cancel(job.id)


async def test_new_jobs_wait_behind_a_button(desk: Desk, page: Page) -> None:
    desk.limit(0)
    old = desk.submit().id
    await page.goto(desk.url())
    await is_live(page)
    new = [desk.submit().id for _ in range(3)]
    button = page.get_by_role("button", name="Show 3 new jobs")
    await expect(button).to_be_visible()
    await shows(page, old)
    await expect(page.get_by_role("link", name="pending 4")).to_be_visible()
    await button.click()
    await shows(page, *reversed(new), old)
    await expect(button).to_be_hidden()


async def test_jobs_that_come_into_the_filter_are_new_and_those_that_leave_stay(desk: Desk, page: Page) -> None:
    desk.limit(0)
    held = desk.submit("sleep", LONG).id
    await page.goto(desk.url("state=pending"))
    await is_live(page)
    desk.client.jobs.cancel(held)
    await expect(row(page, held).locator(".state")).to_have_text("canceled")
    await expect(row(page, held)).to_have_attribute("title", "It does not match the filters any more.")
    other = await page.context.new_page()
    await other.goto(desk.url("state=canceled"))
    await is_live(other)
    second = desk.submit("sleep", LONG).id
    await expect(page.get_by_role("button", name="Show 1 new job")).to_be_visible()
    desk.client.jobs.cancel(second)
    await expect(other.get_by_role("button", name="Show 1 new job")).to_be_visible()
    await expect(page.get_by_role("button", name="Show 1 new job")).to_be_hidden()


async def test_work_is_left_alone(desk: Desk, page: Page, watch: Watch) -> None:
    """Selection, focus, an open menu and typed text stay while rows change around and beneath them."""
    desk.limit(0)
    first, second, third = (desk.submit().id for _ in range(3))
    await page.goto(desk.url())
    await is_live(page)
    await pick(page, first, second)
    await page.get_by_role("button", name=f"Actions of job {second}").click()
    menu = page.get_by_role("menu", name=f"Actions of job {second}")
    focused = menu.get_by_role("menuitem", name="View details")
    await expect(focused).to_be_focused()
    desk.client.jobs.cancel(first)
    desk.client.jobs.cancel(second)
    await expect(row(page, second).locator(".state")).to_have_text("canceled")
    await expect(menu).to_be_visible()
    await expect(focused).to_be_focused()
    await expect(row(page, first).get_by_role("checkbox")).to_be_checked()
    await expect(page.get_by_text("2 selected")).to_be_visible()
    await page.keyboard.press("Escape")
    watch.allow("net::ERR_FAILED")
    await page.route("**/jobs?*q=*", lambda route: route.abort())
    await page.get_by_role("searchbox").press_sequentially("x")
    desk.client.jobs.cancel(third)
    await expect(row(page, third).locator(".state")).to_have_text("canceled")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await expect(page.get_by_role("searchbox")).to_have_value("x")


async def test_a_deleted_job_says_so(desk: Desk, page: Page) -> None:
    job = desk.done().id
    await page.goto(desk.url())
    await is_live(page)
    desk.client.jobs.delete(job)
    await expect(row(page, job)).to_have_attribute("title", "It was deleted.")
    await page.get_by_role("button", name="Refresh", exact=True).click()
    await expect(page.get_by_role("heading", name="No job has run here yet")).to_be_visible()


async def test_refresh_off_and_by_hand(desk: Desk, page: Page) -> None:
    desk.limit(0)
    job = desk.submit().id
    await page.goto(desk.url())
    await is_live(page)
    await page.get_by_role("button", name="Live").click()
    await page.get_by_role("menuitemradio", name="Off").click()
    await expect(page.get_by_text("as of")).to_be_visible()
    seen = await page.context.new_page()
    await seen.goto(desk.url())
    await is_live(seen)
    desk.client.jobs.cancel(job)
    await page.get_by_role("button", name="Refresh", exact=True).click()
    await expect(row(page, job).locator(".state")).to_have_text("canceled")
    await page.reload()
    await expect(page.get_by_role("button", name="Off")).to_be_visible()


async def test_two_tabs(desk: Desk, page: Page) -> None:
    """Both hear of what the one does; each keeps its own selection."""
    desk.limit(0)
    job = desk.submit().id
    await page.goto(desk.url())
    other = await page.context.new_page()
    await other.goto(desk.url())
    await is_live(page)
    await is_live(other)
    await pick(other, job)
    await page.get_by_role("button", name=f"Cancel job {job}").click()
    await page.get_by_role("button", name="Cancel the job").click()
    for each in (page, other):
        await expect(row(each, job).locator(".state")).to_have_text("canceled")
    await expect(row(other, job).get_by_role("checkbox")).to_be_checked()
    await expect(row(page, job).get_by_role("checkbox")).not_to_be_checked()


async def test_server_restarted_under_an_open_page(own_deck: Deck, open_page: OpenPage, watch: Watch) -> None:
    watch.allow_outage()
    with own_deck.client() as client:
        desk = Desk(own_deck, client)
        desk.limit(0)
        job = desk.submit().id
        page = await open_page(at=own_deck)
        await page.goto(desk.url())
        await is_live(page)
        await pick(page, job)
        own_deck.stop()
        await expect(page.locator("#connection")).not_to_have_attribute("data-state", "live")
        await expect(page.get_by_text("as of")).to_be_visible()
        await page.get_by_role("button", name="Refresh", exact=True).click()
        await expect(page.get_by_text("Jobdeck cannot be reached just now.")).to_be_visible()
        own_deck.start()
        desk.client.jobs.cancel(job)
        await expect(row(page, job).locator(".state")).to_have_text("canceled", timeout=20_000)
        await is_live(page)
        await expect(page.get_by_text("Jobdeck cannot be reached just now.")).to_have_count(0)
        await expect(row(page, job).get_by_role("checkbox")).to_be_checked()
        await expect(rows(page)).to_have_count(1)
