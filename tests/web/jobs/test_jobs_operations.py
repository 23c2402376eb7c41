"""Operations on many jobs are found again when their dialog is gone; a delete says and asks what goes along."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.conftest import Axe, OpenPage
from tests.web.jobs.test_jobs_bulk import start
from tests.web.jobs.words import Desk, pick
from tests.web.watch import Watch

LOOK = os.environ.get("JOBDECK_SCREENSHOTS")
"""A folder for pictures, where somebody wants to look."""


async def picture(page: Page, name: str) -> None:
    if LOOK:
        await page.screenshot(path=Path(LOOK) / f"{name}.png", full_page=True)


async def opened_menu(page: Page) -> Locator:
    """The menu in the head."""
    await page.get_by_role("button", name="Operations").click()
    menu = page.get_by_role("dialog", name="Operations on many jobs")
    await expect(menu).to_be_visible()
    return menu


def family(desk: Desk) -> tuple[int, list[int]]:
    """A canceled parent with two canceled children."""
    desk.limit(0)
    parent = desk.submit().id
    children = [desk.submit(parent=parent).id for _ in range(2)]
    for job in (*children, parent):
        desk.client.jobs.cancel(job)
        desk.client.jobs.wait(job, 20)
    return parent, children


async def test_the_dialog_of_a_job_names_its_children(desk: Desk, page: Page, watch: Watch) -> None:
    watch.allowed.append("409")
    watch.allow_status(404)  # of the job's own page
    parent, children = family(desk)
    await page.goto(f"{desk.deck.url}/jobs/{parent}")
    await page.locator("#act-delete").click()
    dialog = page.locator("#job-op")
    await expect(dialog).to_contain_text("It has 2 children (2 canceled). It can be deleted only with them.")
    await picture(page, "job-delete")
    await dialog.get_by_role("button", name="Delete it").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("2 children (2 canceled) would be deleted with it")
    await dialog.get_by_label("Also delete the children").check()
    await dialog.get_by_role("button", name="Delete it").click()
    await page.wait_for_url("**/jobs*")
    assert not set(desk.client.jobs.counts(project=desk.project).values()) - {0}
    assert children


async def test_the_menu_of_a_row_asks_again_for_the_children(desk: Desk, page: Page, watch: Watch) -> None:
    watch.allowed.append("409")
    parent, _ = family(desk)
    await page.goto(desk.url())
    await page.locator(f"#job-{parent} [data-row-menu]").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.locator("#confirm-yes").click()
    await expect(page.locator("#confirm-text")).to_contain_text("2 children (2 canceled) would be deleted with it")
    await page.locator("#confirm-yes").click()
    await expect(page.locator("#toasts")).to_contain_text(f"Job {parent} was deleted")
    assert not set(desk.client.jobs.counts(project=desk.project).values()) - {0}


async def test_the_dialog_of_a_selection_names_children_and_takes_them_if_ticked(desk: Desk, page: Page) -> None:
    parent, _ = family(desk)
    await page.goto(desk.url())
    await pick(page, parent)
    await start(page, "Delete")
    dialog = page.locator("#bulk")
    await expect(dialog).to_contain_text("0 of 1 job will be deleted")
    await expect(dialog).to_contain_text("2 children (2 canceled) are not among these jobs")
    await picture(page, "bulk-children")
    await dialog.get_by_label("Also delete the children").check()
    await expect(dialog).to_contain_text("1 of 1 job will be deleted")
    await dialog.get_by_role("button", name="Delete 1 job").click()
    await expect(dialog).to_contain_text("1 done with 2 children", timeout=15_000)


async def test_the_number_of_a_large_delete_is_typed(desk: Desk, page: Page) -> None:
    desk.limit(0)
    for _ in range(100):
        desk.submit()
    plan = desk.client.bulk.preview("cancel", project=desk.project)
    desk.client.bulk.wait(desk.client.bulk.run(plan).id, 30)
    await page.goto(desk.url())
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await page.get_by_role("button", name="Select all 100 that match").click()
    await start(page, "Delete")
    dialog = page.locator("#bulk")
    button = dialog.get_by_role("button", name="Delete 100 jobs")
    await expect(button).to_be_disabled()
    ground = await button.evaluate("(button) => getComputedStyle(button).backgroundColor")
    await picture(page, "bulk-typed")
    await dialog.get_by_label("Type 100 to delete them").fill("99")
    await expect(button).to_be_disabled()
    await dialog.get_by_label("Type 100 to delete them").fill("100")
    await expect(button).not_to_have_css("background-color", ground)  # its text is read in both states
    await button.click()
    await expect(dialog.get_by_role("heading")).to_have_text("Done: 100 jobs deleted", timeout=15_000)


@pytest.mark.parametrize("width", [1440, 390])
async def test_operations_are_found_and_have_accounts(desk: Desk, open_page: OpenPage, axe: Axe, width: int) -> None:
    desk.limit(0)
    jobs = [desk.submit().id for _ in range(3)]
    past = desk.client.bulk.preview("cancel", ids=[*jobs, 999_999_999], reason="tidy up")
    desk.client.bulk.wait(desk.client.bulk.run(past).id, 20)
    page = await open_page(width=width)
    await page.goto(f"{desk.deck.url}/jobs")
    menu = await opened_menu(page)
    await expect(menu.locator(f"#operations-menu-{past.id}")).to_contain_text("Cancel 4 jobs")
    await expect(menu.locator(f"#operations-menu-{past.id}")).to_contain_text("3 done, 1 left out")
    await picture(page, f"operations-menu-{width}")
    await expect(menu).to_be_in_viewport(ratio=0.99)
    await axe(page)
    await menu.get_by_role("link", name="All operations").click()
    line = page.locator(f"#operation-{past.id}")
    await expect(line).to_contain_text("finished")
    await expect(line).to_contain_text("Cancel 4 jobs")
    await picture(page, f"operations-{width}")
    await axe(page)
    await line.get_by_role("link").click()
    await expect(page).to_have_url(f"{desk.deck.url}/operations/{past.id}")
    await expect(page.locator("#operation [role=status]")).to_contain_text("3 canceled, 1 skipped, 0 failed")
    await expect(page.locator(".operation-items")).to_contain_text("there is no such job")
    await page.get_by_role("link", name="done 3").click()
    await expect(page.locator(".operation-items")).to_contain_text(f"Job {jobs[0]}")
    await picture(page, f"operation-{width}")
    await axe(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_planned_operation_is_discarded(desk: Desk, page: Page) -> None:
    planned = desk.client.bulk.preview("delete", ids=[desk.done().id])
    await page.goto(f"{desk.deck.url}/operations/{planned.id}")
    menu = await opened_menu(page)  # what nobody ran is no operation
    await expect(menu.get_by_role("link", name="All operations")).to_be_visible()
    await expect(menu.locator(f"#operations-menu-{planned.id}")).to_have_count(0)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Discard").click()
    await expect(page.locator("#operation")).to_contain_text("stopped")
    assert desk.client.bulk.get(planned.id).state == "stopped"


async def test_jobs_that_are_deleted_are_no_links(desk: Desk, page: Page) -> None:
    job, held = desk.done().id, desk.submit("sleep", {"seconds": 60}).id
    plan = desk.client.bulk.preview("delete", ids=[job, held])
    desk.client.bulk.run(plan)
    desk.client.bulk.wait(plan.id, 30)
    await page.goto(f"{desk.deck.url}/operations/{plan.id}?outcome=done")
    await expect(page.locator(".operation-items")).to_have_text(f"Job {job}")
    await expect(page.locator(".operation-items a")).to_have_count(0)
    await page.goto(f"{desk.deck.url}/operations/{plan.id}?outcome=skipped")
    await expect(page.locator(".operation-items").get_by_role("link", name=f"Job {held}")).to_be_visible()


async def test_a_job_that_never_was_is_no_link(desk: Desk, page: Page) -> None:
    job = desk.done().id
    plan = desk.client.bulk.preview("cancel", ids=[job, 999_999_999])
    links = page.locator("#operation").get_by_role("link")
    await page.goto(f"{desk.deck.url}/operations/{plan.id}")
    await expect(page.locator("#operation")).to_contain_text("999999999")
    await expect(links.filter(has_text=str(job)).first).to_be_visible()
    await expect(links.filter(has_text="999999999")).to_have_count(0)
    desk.client.bulk.run(plan)
    desk.client.bulk.wait(plan.id, 30)
    await page.goto(f"{desk.deck.url}/operations/{plan.id}?outcome=skipped")
    await expect(page.locator(".operation-items")).to_contain_text("Job 999999999: there is no such job")
    await expect(page.locator(".operation-items").get_by_role("link", name=f"Job {job}")).to_be_visible()
    await expect(links.filter(has_text="999999999")).to_have_count(0)
