"""The log of a job: followed live, read backwards, searched, filtered, linked to."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.web.deck import Deck
from tests.web.job.shown import write_log
from tests.web.jobs.words import LONG, Desk, is_live
from tests.web.watch import Watch

LINES = [("info", f"row {n} was read") for n in range(1, 3001)]


@pytest.fixture
def running(desk: Desk) -> int:
    """A job that does not end while a test runs."""
    job = desk.submit("sleep", LONG).id
    desk.until(job, lambda seen: seen.state == "running")
    return job


@pytest.fixture
def ended(desk: Desk, deck: Deck) -> int:
    """A job with 3 000 lines."""
    job = desk.done("sleep", {"seconds": 0}).id
    write_log(deck, job, LINES)
    return job


async def visible(page: Page, number: int) -> None:
    """The line is in sight within the log."""
    await expect(page.locator(f"#L{number}")).to_be_in_viewport()


async def test_follows_until_one_scrolls_up(page: Page, deck: Deck, running: int) -> None:
    await page.goto(f"/jobs/{running}/logs")
    await is_live(page)
    await expect(page.get_by_text("Nothing was logged yet")).to_be_visible()
    write_log(deck, running, LINES[:200])
    await visible(page, 200)
    follow = page.get_by_role("button", name="Follow")
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await page.locator("#log-lines").hover()
    await page.mouse.wheel(0, -900)
    await expect(follow).to_have_attribute("aria-pressed", "false")
    top = await page.locator("#log-lines").evaluate("box => box.scrollTop")
    write_log(deck, running, [("info", "one more"), ("info", "and another")], chunk=2)
    back = page.get_by_role("button", name="2 new lines")
    await expect(back).to_be_visible()
    assert await page.locator("#log-lines").evaluate("box => box.scrollTop") == top
    await back.click()
    await visible(page, 202)
    write_log(deck, running, [("info", "the end")], chunk=3)
    await visible(page, 203)


async def test_levels_are_words_and_counted(page: Page, deck: Deck, ended: int) -> None:
    levels = ("debug", "warning", "error", "stdout", "stderr")
    write_log(deck, ended, [(level, f"one of {level}") for level in levels], chunk=2)
    await page.goto(f"/jobs/{ended}/logs")
    for number, said in enumerate(("debug", "WARN", "ERROR", "out", "err"), 3001):
        await expect(page.locator(f"#L{number} .log-level")).to_have_text(said)
    await expect(page.locator("#log-total")).to_have_text("3 005 lines in this log")
    await page.get_by_label("Level").select_option("error")
    await expect(page.locator("#log-total")).to_have_text("1 line like that, of 3 005 lines in this log")
    await page.get_by_label("Level").select_option("info")
    await expect(page.locator("#log-total")).to_have_text("3 004 lines like that, of 3 005 lines in this log")


COPIED = """([first, last]) => {
  const range = document.createRange();
  range.setStart(document.querySelector(`#L${first} .log-text`).firstChild, 0);
  const end = document.querySelector(`#L${last} .log-text`).firstChild;
  range.setEnd(end, first === last ? 5 : end.length);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  const event = new ClipboardEvent("copy", { bubbles: true, cancelable: true, clipboardData: new DataTransfer() });
  document.querySelector(`#L${first} .log-text`).dispatchEvent(event);
  return event.defaultPrevented ? event.clipboardData.getData("text/plain") : getSelection().toString();
}"""
"""What is copied when lines are selected: ours, or what the browser makes of it."""


async def test_copied_lines_are_one_line_each_with_time_and_level(page: Page, ended: int) -> None:
    await page.goto(f"/jobs/{ended}/logs")
    await visible(page, 3000)
    copied = await page.evaluate(COPIED, [2998, 3000])
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO  sleep-0\[[01]\] row"
    assert re.fullmatch("".join(rf"{stamp} {number} was read\n" for number in (2998, 2999, 3000)), copied), copied
    assert await page.evaluate(COPIED, [2999, 2999]) == "row 2"


async def test_only_what_is_new_is_fetched(page: Page, deck: Deck, running: int) -> None:
    write_log(deck, running, LINES[:50])
    await page.goto(f"/jobs/{running}/logs")
    await visible(page, 50)
    async with page.expect_response(lambda r: "/logs/lines" in r.url and "after=" in r.url) as waited:
        write_log(deck, running, LINES[50:53], chunk=2)
    await (await waited.value).finished()
    async with page.expect_response(lambda r: "/logs/lines" in r.url) as again:
        await visible(page, 53)
    assert len((await (await again.value).json())["lines"]) <= 3


async def test_earlier_lines_come_when_one_scrolls_up(page: Page, ended: int) -> None:
    await page.goto(f"/jobs/{ended}/logs")
    await visible(page, 3000)
    await expect(page.locator("#L1500")).to_have_count(0)
    box = page.locator("#log-lines")
    await box.evaluate("box => { box.scrollTop = 100; }")
    await expect(page.locator("#L1600")).to_be_attached()
    await expect(page.locator("#L1501")).to_be_attached()
    await box.focus()
    await page.keyboard.press("Home")
    await visible(page, 1)
    await page.keyboard.press("End")
    await visible(page, 3000)


async def test_search_goes_through_the_whole_log(page: Page, ended: int) -> None:
    await page.goto(f"/jobs/{ended}/logs")
    await visible(page, 3000)
    await page.keyboard.press("/")
    await page.keyboard.type("ROW 77 ")
    await expect(page.locator("#log-found")).to_have_text("1 of 1 line")
    await visible(page, 77)
    await expect(page.locator("#L77 mark")).to_have_text("row 77 ")
    await page.get_by_label("Search the log", exact=True).last.fill("row 100")
    await expect(page.locator("#log-found")).to_have_text("1 of 11 lines")
    await page.keyboard.press("Enter")
    await expect(page.locator("#log-found")).to_have_text("2 of 11 lines")
    await visible(page, 1000)
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.press("Shift+Enter")
    await expect(page.locator("#log-found")).to_have_text("11 of 11 lines")
    await visible(page, 1009)
    assert "q=row+100" in page.url
    await page.get_by_label("Search the log", exact=True).last.fill("nowhere")
    await expect(page.locator("#log-found")).to_have_text("no match")


async def test_deep_link_to_a_line(page: Page, ended: int) -> None:
    await page.goto(f"/jobs/{ended}/logs#L120")
    await visible(page, 120)
    await expect(page.locator("#L120")).to_have_class("log-line level-info is-current is-target")
    await page.locator("#L125 > a").click()
    assert page.url.endswith("#L125")
    await expect(page.locator("#L125.is-target")).to_have_count(1)


async def test_filters_by_level_step_and_task(page: Page, desk: Desk, deck: Deck) -> None:
    job = desk.done("sleep", {"seconds": 0}).id
    write_log(
        deck, job, [("info", "fine"), ("warning", "odd"), ("error", "bad"), ("stdout", "printed"), ("debug", "deep")]
    )
    await page.goto(f"/jobs/{job}/logs?level=warning")
    rows = page.locator(".log-line")
    await expect(rows).to_have_count(2)
    await expect(page.locator("#L2.level-warning")).to_contain_text("odd")
    await page.get_by_label("Level").select_option("All levels")
    await expect(rows).to_have_count(5)
    await page.get_by_label("Task number").fill("1")
    await page.get_by_label("Task number").press("Tab")
    await expect(rows).to_have_count(2)
    assert "task=1" in page.url
    await page.get_by_label("Task number").fill("7")
    await page.get_by_label("Task number").press("Tab")
    await expect(page.get_by_text("No line is like that")).to_be_visible()


async def test_wrap_is_remembered_and_the_log_downloads(page: Page, desk: Desk, deck: Deck) -> None:
    job = desk.done("sleep", {"seconds": 0}).id
    write_log(deck, job, [("info", "long " * 400), ("info", "\x1b[31mred\x1b[0m <b>not bold</b>")])
    await page.goto(f"/jobs/{job}/logs")
    await expect(page.locator("#L2 .log-text")).to_have_text("red <b>not bold</b>")
    tall = await page.locator("#L1").evaluate("row => row.offsetHeight")
    await page.get_by_role("button", name="Wrap").click()
    assert await page.locator("#L1").evaluate("row => row.offsetHeight") < tall
    await page.reload()
    await expect(page.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "false")
    async with page.expect_download() as waited:
        await page.get_by_role("link", name="Download").click()
    assert "long long" in (await (await waited.value).path()).read_text()


async def test_restart_shows_the_new_attempts_log(page: Page, desk: Desk, deck: Deck) -> None:
    job = desk.done("sleep", {"seconds": 0.01, "fail_step": 0}).id
    write_log(deck, job, LINES[:5])
    await page.goto(f"/jobs/{job}/logs")
    await is_live(page)
    await visible(page, 5)
    desk.client.jobs.restart(job)
    await expect(page.locator("#log")).to_have_attribute("data-attempt", "2")
    await expect(page.locator("#L5")).to_have_count(0)


async def test_a_jump_that_fails_is_told_of_and_made_later(page: Page, ended: int, watch: Watch) -> None:
    """The server is busy when the lines around a match are asked for, and again when the log is searched."""
    watch.allow_status(503)
    busy = {"status": 503, "code": "too_many_log_reads", "detail": "Too many logs are read at the same time."}
    refused: list[str] = []

    async def refuse_once(route: Route) -> None:
        what = "search" if "q=" in route.request.url else "jump" if "line=" in route.request.url else ""
        if not what or what in refused:
            await route.continue_()
            return
        refused.append(what)
        await route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(busy))

    await page.goto(f"/jobs/{ended}/logs")
    await visible(page, 3000)
    await page.route("**/logs/lines?*", refuse_once)
    await _keep_what_is_told(page)
    await page.get_by_label("Search the log", exact=True).last.fill("row 77 ")
    await visible(page, 77)
    await expect(page.locator("#log-found")).to_have_text("1 of 1 line")
    await expect(page.locator("#log-trouble")).to_be_hidden()
    told: list[str] = await page.evaluate("window.told")
    assert refused == ["search", "jump"]
    assert told == ["Too many logs are read at the same time. It is asked for again."] * 2


async def _keep_what_is_told(page: Page) -> None:
    await page.evaluate(
        "window.told = []; const said = document.getElementById('log-trouble'); new MutationObserver(() => {"
        " if (said.textContent) told.push(said.textContent); }).observe(said, { childList: true })"
    )


async def test_a_search_that_is_refused_says_so(page: Page, ended: int, watch: Watch) -> None:
    watch.allow_status(422)
    no = json.dumps({"status": 422, "code": "invalid", "detail": "This cannot be searched.", "hint": "Search another."})
    await page.goto(f"/jobs/{ended}/logs")
    await visible(page, 3000)
    kind = "application/problem+json"
    await page.route("**/logs/lines?*q=*", lambda route: route.fulfill(status=422, content_type=kind, body=no))
    await page.get_by_label("Search the log", exact=True).last.fill("row")
    await expect(page.locator("#log-trouble")).to_have_text("This cannot be searched. Search another.")
    await expect(page.locator("#log-found")).to_have_text("not searched to its beginning")


async def test_what_is_far_back_is_found_by_search_and_filter(page: Page, desk: Desk, deck: Deck) -> None:
    """One answer of the server looks through a part of the log; the page asks on."""
    job = desk.done("sleep", {"seconds": 0}).id
    for chunk in range(28):
        level = "error" if chunk == 0 else "info"
        write_log(deck, job, [(level if n < 2 else "info", f"row {chunk * 5000 + n}") for n in range(5000)], chunk + 1)
    await page.goto(f"/jobs/{job}/logs?level=error")
    await expect(page.locator(".log-line")).to_have_count(2)
    await visible(page, 1)
    await page.goto(f"/jobs/{job}/logs?q=row+77+")
    await expect(page.locator("#log-found")).to_have_text("no match")
    await page.get_by_label("Search the log", exact=True).last.fill("row 4321")
    await expect(page.locator("#log-found")).to_have_text("11 of 11 lines")
    await visible(page, 43220)
    await page.get_by_label("Search the log", exact=True).last.press("Enter")
    await visible(page, 4322)
