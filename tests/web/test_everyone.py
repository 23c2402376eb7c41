"""For everyone, on every page: the focus in sight, nothing that moves unasked, narrow screens, slow lines."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, Response, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.jobs.words import FAILING, LONG, Desk, is_live
from tests.web.watch import Watch

PAGES = (
    "/jobs", "/jobs/{failed}", "/jobs/{failed}/steps", "/jobs/{failed}/events", "/jobs/{failed}/logs",
    "/jobs/{failed}/family", "/jobs/{failed}/attempts", "/run", "/run/import", "/failures", "/failures/{kind}",
)  # fmt: skip
MOST_STOPS = 60
"""Places at which the focus is looked at."""
MOST = 150_000
"""Bytes over the wire until a page is there for the first time."""


@pytest.fixture(scope="module")
def desk(deck: Deck) -> Desk:
    with deck.client() as client:
        return Desk(deck, client)


@pytest.fixture(scope="module")
def paths(desk: Desk) -> list[str]:
    """All pages, with a job that failed behind them."""
    with desk.deck.client() as client:
        desk.client = client
        failed = desk.done("sleep", {**FAILING, "tasks": 3})
    assert failed.error is not None
    names = {"failed": failed.id, "kind": failed.error.fingerprint}
    return [f"{path.format(**names)}?project={desk.project}" for path in PAGES]


FOCUSED = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const seen = getComputedStyle(at.matches('.segmented input') ? at.closest('label') : at);
    const box = at.getBoundingClientRect();
    return {
        what: at.outerHTML.slice(0, 120),
        outlined: seen.outlineStyle !== 'none' && parseFloat(seen.outlineWidth) >= 2,
        inside: box.bottom > 0 && box.right > 0 && box.left < innerWidth && box.top < innerHeight,
        named: !!(at.innerText || at.ariaLabel || at.labels?.length || at.title || at.getAttribute('aria-labelledby')),
    };
}"""


async def test_the_focus_is_always_in_sight(open_page: OpenPage, paths: list[str]) -> None:
    """Tab goes through each page; what has the focus is outlined, on the screen, and has a name."""
    page = await open_page()
    for path in [paths[at] for at in (0, 1, 2, 4, 7, 8, 9, 10)]:
        await page.goto(path)
        await is_live(page)
        steps = 0
        while steps < MOST_STOPS:
            await page.keyboard.press("Tab")
            found = await page.evaluate(FOCUSED)
            if found is None:
                break
            steps += 1
            assert found["outlined"], f"{path}: no outline on {found['what']}"
            assert found["inside"], f"{path}: out of sight: {found['what']}"
            assert found["named"], f"{path}: no name: {found['what']}"
        assert steps > 8, path


async def test_nothing_moves_for_those_who_do_not_want_it(
    open_page: OpenPage, desk: Desk, paths: list[str], deck: Deck
) -> None:
    with deck.client() as client:
        running = client.jobs.submit("sleep", LONG, project=desk.project).id
        next(job for job in client.jobs.watch(running) if job.state == "running")
        moving = "document.getAnimations().filter((a) => a.effect.getComputedTiming().duration > 50).length"
        still = await open_page(reduced_motion="reduce")
        lively = await open_page(reduced_motion="no-preference")
        for page in (still, lively):
            await page.goto(f"/jobs?project={desk.project}")
            await expect(page.locator(f"#job-{running} .turning")).to_be_visible()
        assert await lively.evaluate(moving) > 0
        for path in (f"/jobs?project={desk.project}", f"/jobs/{running}", *paths):
            await still.goto(path)
            assert await still.evaluate(moving) == 0, path
        client.jobs.cancel(running)


async def test_escape_closes_whatever_is_open(open_page: OpenPage, paths: list[str]) -> None:
    """Each menu of each page, and the focus goes back to the button that opened it."""
    page = await open_page()
    opened = 0
    for path in paths:
        await page.goto(path)
        await is_live(page)
        openers = page.locator(":is([popovertarget], [data-row-menu]):visible")
        for index in range(await openers.count()):
            opener = openers.nth(index)
            await opener.focus()
            await page.keyboard.press("Enter")
            await expect(page.locator(":popover-open:not(#toasts)")).to_have_count(1)
            await page.keyboard.press("Escape")
            await expect(page.locator(":popover-open:not(#toasts)")).to_have_count(0)
            await expect(opener).to_be_focused()
            opened += 1
    assert opened > 20


CUT = """() => [...document.querySelectorAll("main .table.cards td")]
    .filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1)
    .map((cell) => `${cell.className} ${cell.innerText}`)"""


async def test_narrow_cards_hold_what_they_say(open_page: OpenPage, paths: list[str]) -> None:
    """Nothing in a card runs over its neighbour, and the tab that is open is in sight."""
    page = await open_page(width=390)
    for path in [*paths, f"{paths[0]}&state=succeeded"]:
        await page.goto(path)
        await is_live(page)
        assert await page.evaluate(CUT) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        for tab in await page.locator(".tabs [aria-current=page]").all():
            await expect(tab).to_be_in_viewport(ratio=0.99)
    await page.goto(paths[0])
    right = "cells => cells.map((cell) => Math.round(cell.lastElementChild.getBoundingClientRect().right))"
    assert len(set(await page.locator("#jobs-rows .c-actions").evaluate_all(right))) == 1


async def test_a_page_is_small(open_page: OpenPage, paths: list[str]) -> None:
    """All of it, the first time: document, scripts, styles. The tabs of a job have the same scripts."""
    for path in [paths[at] for at in (0, 1, 4, 8, 9, 10)]:
        page = await open_page()
        total = await bytes_of(page, path)
        assert 20_000 < total < MOST, f"{path}: {total} bytes"
        await page.context.close()


async def bytes_of(page: Page, path: str) -> int:
    """What comes over the wire until the page is live, without the stream of events."""
    answers: list[Response] = []

    def keep(answer: Response) -> None:
        if "/events" not in answer.url:
            answers.append(answer)

    page.on("response", keep)
    await page.goto(path)
    await is_live(page)
    sizes = [await answer.request.sizes() for answer in answers]
    return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


async def test_offline_says_what_to_expect(own_deck: Deck, open_page: OpenPage, watch: Watch) -> None:
    watch.allow_outage()
    page: Page = await open_page(at=own_deck)
    await page.goto("/failures")
    await is_live(page)
    own_deck.stop(hard=True)
    sign = page.locator("#connection")
    await expect(sign).to_have_text(re.compile("offline|reconnecting"))
    await expect(sign).to_have_attribute("title", re.compile("tried again|read again"))
    await expect(sign).to_have_role("status")
    await expect(sign).to_have_text("offline", timeout=30_000)
    await expect(sign).to_have_attribute("title", re.compile("read again as soon as the connection is back"))
