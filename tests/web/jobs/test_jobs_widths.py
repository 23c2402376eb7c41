"""The list at every width: what must be seen is, nothing moves sideways, and what is above the rows stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.jobs.desks import Desks
from tests.web.jobs.words import FAILING, Desk, is_live, row, rows, settled

EVERY = (
    "state,id,job,subject,project,progress,by,queued,started,ended,duration,waited,priority,attempt,tags,worker,credits"
)
SEEN = """() => [...document.querySelectorAll('#jobs-rows > tr')].flatMap((tr) => {
  const parts = [['state', '.state'], ['job', '.job-link'], ['actions', '[data-row-menu]']];
  if (tr.querySelector('.c-progress progress')) parts.push(['progress', '.c-progress progress']);
  return parts.filter(([, at]) => {
    const box = tr.querySelector(at).getBoundingClientRect();
    return box.width < 1 || box.left < 0 || box.right > innerWidth;
  }).map(([name]) => `${name} of ${tr.id}`);
})"""
"""The parts of rows that are not seen whole."""
OVERLAPS = """() => [...document.querySelectorAll('.jobs thead th, #jobs-rows > tr:first-child td')].filter((cell) => {
  const box = cell.getBoundingClientRect(), beside = cell.nextElementSibling?.getBoundingClientRect();
  return box.width > 0 && beside && beside.width > 0 && box.right > beside.left + 1;
}).map((cell) => cell.className)"""


async def fits(page: Page) -> None:
    """Nothing is cut off, and the page does not scroll sideways."""
    assert await page.evaluate(SEEN) == []
    width, room = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room, f"it scrolls sideways at {room} px by {width - room}"


@pytest.mark.parametrize("query", ["", f"columns={EVERY}", f"columns={EVERY}&density=comfortable&sort=-started_at"])
async def test_state_job_progress_and_actions_are_seen_at_every_width(
    desks: Desks, open_page: OpenPage, query: str
) -> None:
    page = await open_page(width=1600)
    await page.goto(desks.mixed.url(query))
    for width in (1600, 1440, 1280, 1100, 1024, 900, 800, 721, 720, 540, 390, 320):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
        await fits(page)
        if width > 720:
            assert await page.evaluate(OVERLAPS) == []
        if "sort" in query and not 720 < width < 800:
            await expect(page.locator("th[aria-sort] a")).to_be_visible()
    await page.set_viewport_size({"width": 1024, "height": 800})
    await page.get_by_role("button", name="Columns").click()
    await expect(page.locator("#columns-left-out")).to_contain_text("There is no room here for ")
    tabs = page.locator("#jobs-tabs")
    assert await tabs.evaluate("(tabs) => tabs.scrollWidth <= tabs.clientWidth"), "a tab is cut off"


ON_TOP = """(selector) => {
  const element = document.querySelector(selector), box = element.getBoundingClientRect();
  const there = document.elementFromPoint(box.left + Math.min(box.width, innerWidth) / 2, box.top + box.height / 2);
  return box.top >= 0 && box.bottom <= innerHeight && (element.contains(there) || there?.contains(element));
}"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (720, 450), (390, 844)])
async def test_tabs_heads_and_selection_stay_when_scrolling(
    desks: Desks, open_page: OpenPage, width: int, height: int
) -> None:
    """720 × 450 is 1440 × 900 at 200 % zoom; `All` above the cards selects all of the page."""
    page = await open_page(width=width, height=height)
    await page.goto(desks.large.url())
    await page.mouse.move(width / 2, height / 2)
    await page.mouse.wheel(0, 2500)
    await page.wait_for_function("() => scrollY > 1500")
    for selector in ("#jobs-tabs", ".jobs th.c-state", "#pick-page"):
        assert await page.evaluate(ON_TOP, selector), selector
    await page.get_by_role("checkbox", name="Select all jobs of this page").check()
    await expect(page.get_by_text("50 selected")).to_be_visible()
    await expect(page.get_by_role("button", name="Select all 120 that match")).to_be_visible()
    if width > 720:  # in one line, up to the cross at its end
        middle = (
            "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => Math.round(box.y + box.height / 2))"
        )
        assert len(set(await page.locator("#batch .button").evaluate_all(middle))) == 1
    covered: Any = await page.evaluate("document.getElementById('batch').offsetHeight / innerHeight")
    assert covered < 0.3
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_cards_can_be_sorted(desks: Desks, open_page: OpenPage) -> None:
    page = await open_page(width=390, height=844)
    await page.goto(desks.mixed.url())
    await page.get_by_role("columnheader", name="Job", exact=True).get_by_role("link").click()
    await settled(page)
    await expect(page.get_by_role("columnheader", name="Job", exact=True)).to_have_attribute("aria-sort", "descending")


@pytest.mark.parametrize("width", [1440, 1024, 390])
async def test_tabs_stay_under_the_pointer(desks: Desks, open_page: OpenPage, width: int) -> None:
    page = await open_page(width=width)
    for query in ("", "state=failed,paused", "tag=nightly"):
        await page.goto(desks.mixed.url(query))
        tab = page.locator("#jobs-tabs .state-pending")
        await tab.scroll_into_view_if_needed()
        before = await tab.bounding_box()
        await tab.click()
        await settled(page)
        await expect(tab).to_have_attribute("aria-current", "page")
        assert await tab.bounding_box() == before


async def test_columns_do_not_move_when_rows_change(desk: Desk, open_page: OpenPage) -> None:
    """Whatever comes: long names and errors, other states, progress, times and new rows."""
    page = await open_page(width=1440)
    first = desk.done().id
    await page.goto(desk.url())
    await is_live(page)
    places = "[...document.querySelectorAll('.jobs th')].map((head) => head.getBoundingClientRect().x)"
    before = await page.evaluate(places)
    long = "A description that is as long as those of people who describe all that a job does, and why, and for whom. "
    desk.done("sleep", FAILING, description=long * 3, tags=["a-tag-that-is-rather-long"])
    desk.submit("sleep", {"seconds": 600, "write": f"lake/warehouse/{'long_' * 8}name"})
    await page.get_by_role("button", name="Show 2 new jobs").click()
    await expect(rows(page)).to_have_count(3)
    assert await page.evaluate(places) == before
    await expect(row(page, first)).to_be_visible()


async def test_a_long_error_and_warnings_keep_their_place(desk: Desk, page: Page) -> None:
    """In a row the number of warnings is seen whole; in a card an error is cut after three lines."""
    job = desk.done("sleep", FAILING).id
    with closing(sqlite3.connect(desk.deck.home / "jobdeck.db", timeout=20)) as database, database:
        told = "It broke at /some/path. " * 200
        database.execute("UPDATE jobs SET error_message = ?, warnings = 120000 WHERE id = ?", (told, job))
    await page.set_viewport_size({"width": 1440, "height": 900})
    await page.goto(desk.url())
    badge = row(page, job).locator(".c-state .badge")
    await expect(badge).to_have_attribute("title", "120 000 warnings")
    assert await badge.evaluate("(badge) => badge.scrollWidth <= badge.clientWidth")
    right = "(e) => e.getBoundingClientRect().right"
    assert await badge.evaluate(right) <= await row(page, job).locator(".c-state").evaluate(right)
    await page.set_viewport_size({"width": 390, "height": 844})
    why = row(page, job).locator(".job-why")
    await expect(why).to_be_visible()
    assert await why.evaluate("(why) => why.offsetHeight / parseFloat(getComputedStyle(why).fontSize)") < 5
    for part in ("Custom…", "Add filter"):
        await expect(page.locator("#jobs-tools").get_by_role("button", name=part)).to_be_in_viewport(ratio=0.99)


async def test_characters_that_turn_text_around_are_shown(desk: Desk, page: Page) -> None:
    desk.limit(0)
    job = desk.submit("sleep", description="gpj.\u202eexe \u2066harmless").id
    await page.goto(desk.url())
    await expect(row(page, job).locator(".job-link")).to_have_text("gpj.⟨U+202E⟩exe ⟨U+2066⟩harmless")
    await page.goto(f"{desk.deck.url}/jobs/{job}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("gpj.⟨U+202E⟩exe ⟨U+2066⟩harmless")


async def test_long_names_of_types_keep_to_themselves(desk: Desk, page: Page) -> None:
    name = "_".join(["refresh_of_a_materialized_view"] * 3)

    async def longer(route: Any) -> None:
        answer = await route.fetch()
        await route.fulfill(
            response=answer, body=(await answer.text()).replace("<span>noop</span>", f"<span>{name}</span>")
        )

    await page.route("**/jobs/filter/type*", longer)
    await page.goto(desk.url())
    await page.get_by_role("button", name="Add filter").click()
    await page.get_by_role("menuitem", name="Type", exact=True).click()
    await expect(page.locator("#filter-form").get_by_text(name)).to_be_visible()
    wide = """(form) => [...form.querySelectorAll('label, fieldset, form')]
      .filter((part) => part.scrollWidth > part.clientWidth + 1).length"""
    assert await page.locator("#filter-form").evaluate(wide) == 0
    boxes = await page.locator("#filter-form label").evaluate_all(
        "(all) => all.map((e) => [e.getBoundingClientRect().top, e.getBoundingClientRect().bottom])"
    )
    assert all(above[1] <= below[0] + 1 for above, below in pairwise(boxes))


async def test_the_reason_of_a_failure_is_read_in_its_row(desk: Desk, page: Page, tmp_path: Path) -> None:
    """The end of the message says what is wrong: beside the type, one line had no room for more than a file's name."""
    source = tmp_path / "orders of march.csv"
    source.write_text("id,amount\n1,1\n2\n")
    ref = f"file:{desk.client.files.upload(source, project=desk.project).id}"
    job = desk.done("import", {"files": [ref], "into": "lake/in.shop/read"})
    assert job.state == "failed"
    await page.set_viewport_size({"width": 1440, "height": 900})
    await page.goto(desk.url())
    why = row(page, job.id).locator(".job-why.failed")
    assert await why.evaluate("(why) => why.clientHeight >= 2 * parseFloat(getComputedStyle(why).fontSize)")
    assert await why.evaluate("(why) => why.clientWidth >= 0.9 * why.closest('td').clientWidth - 16")
