"""Saved views: a name for filters, order, columns and density."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.web.jobs.words import FAILING, Desk, has_query, shows


async def test_save_go_and_delete(desk: Desk, page: Page) -> None:
    failed = desk.done("sleep", FAILING).id
    done = desk.done().id
    await page.goto(desk.url("state=failed&sort=-priority"))
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Tags").check()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Views").click()
    await page.get_by_label("Save what is shown as").fill(f"Broken in {desk.project}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name=f"Broken in {desk.project}")).to_have_attribute("aria-current", "true")
    await page.evaluate("localStorage.removeItem('jobdeck-jobs-columns')")
    await page.goto(desk.url())
    await shows(page, done, failed)
    await expect(page.get_by_role("columnheader", name="Tags")).to_be_hidden()
    await page.get_by_role("button", name="Views").click()
    await page.get_by_role("link", name=f"Broken in {desk.project}").click()
    await shows(page, failed)
    await has_query(page, "state=failed", "sort=-priority")
    await expect(page.get_by_role("columnheader", name="Tags")).to_be_visible()
    await page.get_by_role("button", name="Views").click()
    await page.get_by_role("button", name=f"Delete the view Broken in {desk.project}").click()
    await page.get_by_role("button", name="Delete the view", exact=True).click()
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("The view is deleted.")
    await page.get_by_role("button", name="Views").click()
    await expect(page.get_by_role("link", name=f"Broken in {desk.project}")).to_have_count(0)
