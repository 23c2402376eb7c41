"""An operation on very many jobs, stopped from its dialog, from the menu in the head and from the list of operations:
what was done stays done, nothing else is touched."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from jobdeck.wire.jobs import SubmitRequest
from tests.web.jobs.words import Desk, is_live

MANY = 6000
"""Jobs that a server needs some seconds for."""
LONGER = 24_000
"""For longer than somebody takes who has to find the operation first."""


def queue(desk: Desk, count: int) -> None:
    """Jobs that wait."""
    desk.limit(0)
    for _ in range(count // 1000):
        desk.client.jobs.submit_all([SubmitRequest(type="noop") for _ in range(1000)], project=desk.project)


async def test_a_running_operation_is_stopped(desk: Desk, page: Page) -> None:
    queue(desk, MANY)
    await page.goto(desk.url())
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await page.get_by_role("button", name="Select all 6 000 that match").click()
    await page.get_by_role("region", name="Selected jobs").get_by_role("button", name="Cancel…").click()
    dialog = page.locator("#bulk")
    await dialog.get_by_role("button", name="Cancel 6 000 jobs").click(timeout=20_000)
    await expect(dialog.get_by_role("heading")).to_have_text("6 000 jobs: cancel under way", timeout=20_000)
    await expect(dialog.get_by_role("progressbar", name="Jobs looked at")).to_be_visible()
    await dialog.get_by_role("button", name="Stop", exact=True).click()
    account = dialog.locator("#bulk-account")
    await expect(account).to_have_attribute("data-state", "stopped", timeout=20_000)
    told = re.search(
        r"(\d+) done, 0 skipped, 0 failed, (\d+) not touched of 6000 jobs",
        re.sub(r"(?<=\d)\s(?=\d)", "", await account.get_by_role("status").inner_text()),
    )
    assert told is not None
    done, left = int(told[1]), int(told[2])
    assert done + left == MANY
    assert left > 0
    await dialog.get_by_text(re.compile("not touched$")).click()
    await expect(dialog.get_by_role("link", name=re.compile("^Job")).first).to_be_visible()
    await dialog.get_by_role("button", name="Close").first.click()
    counts = desk.client.jobs.counts(project=desk.project)
    assert (counts["canceled"], counts["pending"]) == (done, left)
    shown = f"{done:,}".replace(",", r"\s")
    await expect(page.get_by_role("link", name=re.compile(f"^canceled {shown}$"))).to_be_visible()


@pytest.mark.parametrize("path", ["/failures", "/operations"])
async def test_one_whose_dialog_is_closed_is_found_and_stopped(desk: Desk, page: Page, path: str) -> None:
    """In the menu of every page, and in the list."""
    queue(desk, LONGER)
    await page.goto(f"{desk.deck.url}{path}")
    await is_live(page)
    running = desk.client.bulk.run(desk.client.bulk.preview("cancel", project=desk.project))
    entry = page.get_by_role("button", name="Operations")
    await expect(entry).to_contain_text("1 under way")
    if path == "/failures":
        await entry.click()
    place = page.locator(f"#operations-menu-{running.id}" if path == "/failures" else f"#operation-{running.id}")
    await expect(place).to_contain_text(re.compile(r"\d of 24\s000"))
    await place.get_by_role("button", name=f"Stop operation {running.id}").click()
    await expect(page).to_have_url(f"{desk.deck.url}/operations/{running.id}")
    await expect(page.locator("#operation")).to_contain_text("stopped")
    await expect(entry).not_to_contain_text("under way")
    account = desk.client.bulk.get(running.id)
    assert (account.state, account.done + account.left) == ("stopped", LONGER)
    assert account.left
