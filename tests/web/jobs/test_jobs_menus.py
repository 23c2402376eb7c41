"""Menus of rows, questions and messages: what is lost stands last, a refusal once; no click hits what just opened."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, Route, expect

from tests.web.conftest import Axe, OpenPage
from tests.web.jobs.words import FAILING, Desk, is_live, pick, row
from tests.web.watch import Watch


async def items(page: Page, job: int) -> list[str]:
    await row(page, job).locator("[data-row-menu]").click()
    return [text.split("\n")[0] for text in await page.locator("#row-menu [role=menuitem]").all_inner_texts()]


async def test_what_is_lost_stands_last(desk: Desk, page: Page, axe: Axe) -> None:
    failed = desk.done("sleep", FAILING).id
    await page.goto(desk.url())
    found = await items(page, failed)
    assert found == [
        "View details", "Retry (resume)", "Pause", "Restart", "Run again", "Run again with changes", "Copy the id",
        "Cancel", "Delete",
    ]  # fmt: skip
    await axe(page)


async def test_who_may_only_look_is_told_so_once(desk: Desk, open_page: OpenPage) -> None:
    job = desk.done().id
    viewer = desk.deck.token(f"viewer of {desk.project}", "viewer", desk.project)
    page = await open_page(token=viewer)
    await page.goto("/jobs")
    assert await items(page, job) == ["View details", "Nothing can be done with it", "Copy the id"]
    await expect(page.locator("#row-menu")).to_contain_text(
        "the role 'operator' is needed, and this token has 'viewer'"
    )


async def test_a_waiting_job_is_moved_up_and_says_its_place(desk: Desk, page: Page) -> None:
    table = {"seconds": 600, "write": f"lake/in.web/{desk.project}"}
    holder = desk.submit("sleep", table).id
    desk.until(holder, lambda job: job.state == "running")
    first, second, third = (desk.submit("sleep", table).id for _ in range(3))
    await page.goto(desk.url())
    await is_live(page)
    await expect(row(page, first).locator(".job-why")).to_contain_text("next in line")
    await expect(row(page, second).locator(".job-why")).to_contain_text("number 2 in line")
    await expect(row(page, third).locator(".job-why")).to_contain_text("number 3 in line")
    await row(page, third).locator("[data-row-menu]").click()
    await page.get_by_role("menuitem", name="Move up in the line").click()
    await expect(page.locator("#toasts")).to_contain_text(f"Job {third} has the highest priority and is next in line.")
    await expect(row(page, third).locator(".job-why")).to_contain_text("next in line")
    await expect(row(page, first).locator(".job-why")).to_contain_text("number 2 in line")
    assert desk.client.jobs.get(third).priority == 9
    await row(page, third).locator("[data-row-menu]").click()
    await expect(page.get_by_role("menuitem", name="Move up in the line")).to_have_attribute("aria-disabled", "true")
    await page.keyboard.press("Escape")
    desk.client.jobs.cancel(holder)
    desk.until(third, lambda job: job.state == "running")


async def test_a_double_click_answers_no_question(desk: Desk, page: Page) -> None:
    """Its second click would hit the dialog that the first one opened, or what is behind one that it closed."""
    job = desk.done("sleep", FAILING).id
    await page.goto(f"{desk.deck.url}/jobs/{job}")
    dialog = page.locator("#confirm")
    await page.locator("#act-run-again").dblclick()
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Do not run it").dblclick()
    await expect(dialog).to_be_hidden()
    await page.goto(desk.url())
    await row(page, job).locator("[data-row-menu]").click()
    await page.get_by_role("menuitem", name="Restart").dblclick()
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Keep as it is").click()
    await expect(dialog).to_be_hidden()
    assert desk.client.jobs.get(job).attempt == 1


async def test_a_preview_can_be_given_up(desk: Desk, page: Page) -> None:
    """However long the look takes; what it found in the end is discarded, and does not come back later."""
    job = desk.done().id
    go_on = asyncio.Event()
    plans: list[str] = []

    async def slow(route: Route) -> None:
        await go_on.wait()
        answer = await route.fetch()
        plans.append((await answer.text()).split('data-bulk-id="')[1].split('"')[0])
        await route.fulfill(response=answer)

    await page.route("**/jobs/bulk", slow)
    await page.goto(desk.url())
    await pick(page, job)
    await page.locator("[data-bulk=delete]").click()
    dialog = page.locator("#bulk")
    await expect(dialog).to_contain_text("Looking at every selected job…")
    await dialog.get_by_role("button", name="Give up").click()
    await expect(dialog).to_be_hidden()
    async with page.expect_response("**/api/v1/bulk/*/stop"):
        go_on.set()
    await expect(dialog).to_be_hidden()
    assert desk.client.bulk.get(int(plans[0])).state == "stopped"
    await page.unroute("**/jobs/bulk")
    await page.locator("[data-bulk=delete]").click()
    await expect(dialog.get_by_role("heading")).to_have_text("Delete 1 job?")


async def test_messages_lie_over_dialogs(desk: Desk, page: Page, watch: Watch) -> None:
    watch.allow_outage()
    job = desk.done().id
    await page.goto(desk.url())
    await is_live(page)
    for path in ("bulk", "changes?*"):  # one answer would take the message away
        await page.route(f"**/jobs/{path}", lambda route: route.abort())
    await pick(page, job)
    await page.locator("[data-bulk=delete]").click()
    toast = page.locator(".toast").filter(has_text="cannot be reached")
    await expect(toast).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    # The dialog of the delete closes, and the messages are put above what was opened last.
    await page.wait_for_function("""() => {
      const layers = [...document.querySelectorAll('dialog:modal, #toasts:popover-open')].map((layer) => layer.id);
      const toast = [...document.querySelectorAll('.toast')].find((t) => t.textContent.includes('cannot be reached'));
      return layers.join() === 'toasts,keys' && toast?.matches(':popover-open *');
    }""")
