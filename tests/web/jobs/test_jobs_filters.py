"""Filters of the list: each is in the address, survives a reload, and goes and comes with back and forward."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Route, expect

from tests.web.deck import Deck
from tests.web.jobs.words import FAILING, Desk, has_query, row, shows


async def add(page: Page, label: str) -> None:
    """Open the form of a filter."""
    await page.get_by_role("button", name="Add filter").click()
    await page.get_by_role("menuitem", name=label, exact=True).click()
    await expect(page.get_by_role("dialog", name="Filter")).to_be_visible()


async def test_state_tabs_count_what_the_other_filters_leave(desk: Desk, page: Page) -> None:
    failed = desk.done("sleep", FAILING).id
    done = desk.done(tags=["blue"]).id
    await page.goto(desk.url())
    await shows(page, done, failed)
    await page.get_by_role("link", name="failed 1").click()
    await shows(page, failed)
    await has_query(page, "state=failed")
    await expect(page.get_by_role("link", name="succeeded 1")).to_be_visible()
    await page.reload()
    await shows(page, failed)
    await page.go_back()
    await shows(page, done, failed)
    await page.go_forward()
    await shows(page, failed)
    await page.goto(desk.url("tag=blue"))
    await expect(page.get_by_role("link", name="failed 0")).to_be_visible()


async def test_search_while_typing(desk: Desk, page: Page) -> None:
    orders = desk.done(description="Load the orders").id
    other = desk.done(description="Load the returns").id
    await page.goto(desk.url())
    await page.keyboard.press("/")
    await page.keyboard.type("orders", delay=15)
    await shows(page, orders)
    await expect(page).to_have_url(f"{desk.deck.url}{desk.url('q=orders')}")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await expect(page.get_by_role("searchbox")).to_have_value("orders")
    await page.reload()
    await shows(page, orders)
    await page.go_back()
    await shows(page, other, orders)
    await expect(page.get_by_role("searchbox")).to_have_value("")
    await page.get_by_role("searchbox").fill(str(other))
    await shows(page, other)
    await page.keyboard.press("Escape")
    await shows(page, other, orders)


async def test_a_search_that_is_overtaken_leaves_the_list_before_it_to_go_back_to(desk: Desk, page: Page) -> None:
    """The answer to the first letter comes late, and is not waited for: the history has the list and the search."""
    orders, other = desk.done(description="Load the orders").id, desk.done(description="Load the returns").id
    await page.goto(desk.url())
    await shows(page, other, orders)
    late = asyncio.Event()

    async def hold(route: Route) -> None:
        await late.wait()
        with suppress(PlaywrightError):  # nobody waits for it any more
            await route.continue_()

    await page.route(re.compile(r"/jobs\?.*q=o$"), hold)
    async with page.expect_request(re.compile("q=o$")):
        await page.get_by_role("searchbox").press("o")
    async with page.expect_event("requestfailed"):
        await page.get_by_role("searchbox").press_sequentially("rders", delay=5)
    await shows(page, orders)
    late.set()
    await has_query(page, "q=orders")
    await page.go_back()
    await shows(page, other, orders)
    assert page.url == f"{desk.deck.url}{desk.url()}"


TEXTS = [
    ("Subject", "subject", "lake/in.web/one"),
    ("Created by", "created_by", "admin"),
    ("Tag", "tag", "blue"),
    ("Error", "error", "sleep_failed"),
    ("Run id", "run_id", "{id}"),
    ("Parent", "parent", "{id}"),
    ("Token", "token", "{token}"),
    ("Configuration", "configuration", "{configuration}"),
]


@pytest.mark.parametrize(("label", "name", "value"), TEXTS, ids=[t[1] for t in TEXTS])
async def test_filters_by_text(desk: Desk, page: Page, label: str, name: str, value: str) -> None:
    saved = desk.client.configurations.create("nightly", "sleep", {"seconds": 0.01}, project=desk.project)
    wanted = desk.done("sleep", FAILING | {"write": "lake/in.web/one"}, tags=["blue"], configuration=saved.id)
    other = desk.done().id
    if name == "parent":
        child = desk.done("noop", parent=desk.submit("sleep", {"seconds": 600}).id)
        assert child.parent is not None
        wanted, value = child, str(child.parent)
    token = desk.client.tokens.list()[0].id
    value = value.format(id=wanted.id, token=token, configuration=saved.id)
    await page.goto(desk.url())
    await expect(row(page, other)).to_be_visible()
    await add(page, label)
    await page.get_by_role("dialog", name="Filter").get_by_role("combobox").fill(value)
    await page.keyboard.press("Enter")
    chip = page.get_by_role("button", name=f"{label} {value}")
    await expect(chip).to_be_visible()
    await expect(row(page, wanted.id)).to_be_visible()
    if name not in ("created_by", "token"):
        await expect(row(page, other)).to_have_count(0)
    assert f"{name}=" in page.url
    await page.reload()
    await expect(chip).to_be_visible()
    await page.go_back()
    await expect(chip).to_have_count(0)
    await page.go_forward()
    await expect(chip).to_be_visible()
    await page.get_by_role("link", name=f"Remove the filter {label} {value}").click()
    await expect(chip).to_have_count(0)
    await expect(row(page, other)).to_be_visible()
    assert f"{name}=" not in page.url


async def test_suggestions_where_the_values_are_known(desk: Desk, page: Page) -> None:
    desk.done("sleep", FAILING | {"write": "lake/in.web/one"}, tags=["blue"])
    await page.goto(desk.url())
    for label, value in (
        ("Tag", "blue"),
        ("Subject", "lake/in.web/one"),
        ("Error", "sleep_failed"),
        ("Created by", "admin"),
    ):
        await add(page, label)
        await expect(page.locator(f"#filter-choices option[value='{value}']")).to_have_count(1)
        await page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("label", "name", "values"),
    [
        ("State", "state", ["failed", "succeeded"]),
        ("Type", "type", ["noop", "sleep"]),
        ("Priority", "priority", ["5", "7"]),
    ],
)
async def test_filters_of_several_values(desk: Desk, page: Page, label: str, name: str, values: list[str]) -> None:
    desk.limit(0)
    held = desk.submit("noop", priority=2).id
    desk.limit(5)
    first, second = desk.done("sleep", FAILING, priority=7).id, desk.done(priority=5).id
    await page.goto(desk.url())
    await expect(row(page, held)).to_be_visible()
    await add(page, label)
    for value in values:
        await page.get_by_role("dialog", name="Filter").get_by_role("checkbox", name=value, exact=False).check()
    await page.get_by_role("button", name="Apply").click()
    await expect(row(page, first)).to_be_visible()
    await expect(row(page, second)).to_be_visible()
    await expect(page).to_have_url(re.compile(f"{name}=({','.join(values)}|{','.join(reversed(values))})"))
    await page.get_by_role("link", name=f"Remove the filter {label} {values[0]}").click()
    await expect(page.get_by_role("link", name=f"Remove the filter {label} {values[0]}")).to_have_count(0)
    await has_query(page, f"{name}={values[1]}")


async def test_quick_ranges_and_times_of_ones_own(desk: Desk, page: Page) -> None:
    job = desk.done().id
    await page.goto(desk.url())
    ranges = page.get_by_role("navigation", name="Created within")
    for name, since in (("12 h", "12h"), ("1 d", "1d"), ("3 d", "3d"), ("7 d", "7d")):
        await ranges.get_by_role("link", name=name).click()
        await expect(ranges.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")
        await has_query(page, f"since={since}")
        await shows(page, job)
    await ranges.get_by_role("button", name="Custom…").click()
    await page.get_by_label("From").fill("2020-01-02T03:04")
    await page.get_by_label("To").fill("2020-01-03T03:04")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("heading", name="No jobs match")).to_be_visible()
    zone = await page.evaluate("new Date('2020-01-02T03:04').toISOString()")
    await has_query(page, f"since={zone}")
    await page.reload()
    await expect(page.get_by_role("heading", name="No jobs match")).to_be_visible()
    await expect(page.locator(".chip")).to_have_count(2)
    await page.locator("#jobs-tools").get_by_role("link", name="Clear filters").click()
    await shows(page, job)


@pytest.mark.parametrize(("label", "names"), [("Started", ("started_since",)), ("Ended", ("ended_since",))])
async def test_other_times(desk: Desk, page: Page, label: str, names: tuple[str, ...]) -> None:
    job = desk.done().id
    await page.goto(desk.url())
    await shows(page, job)
    await add(page, label)
    await page.get_by_role("button", name="last 3 d").click()
    await expect(page.locator(".chip")).to_contain_text(f"{label} since 3d")
    await has_query(page, f"{names[0]}=3d")
    await shows(page, job)


async def test_durations_and_the_top_level(desk: Desk, page: Page) -> None:
    short, long = desk.done().id, desk.done("sleep", {"seconds": 0.6}).id
    await page.goto(desk.url())
    await shows(page, long, short)
    await add(page, "Duration")
    await page.get_by_label("At least").fill("500ms")
    await page.keyboard.press("Enter")
    await shows(page, long)
    await add(page, "Top level only")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator(".chip")).to_have_count(2)
    await shows(page, long)
    await has_query(page, "min_duration=500ms", "top_level=true")


async def test_what_cannot_be_used_is_said_in_the_form(desk: Desk, page: Page) -> None:
    desk.done()
    await page.goto(desk.url())
    await add(page, "Run id")
    await page.get_by_role("dialog", name="Filter").get_by_role("combobox").fill("twelve")
    await page.keyboard.press("Enter")
    assert not await page.locator("#filter-form form").evaluate("form => form.checkValidity()")
    assert "run_id" not in page.url


async def test_several_projects_and_all_of_them(desk: Desk, deck: Deck, page: Page) -> None:
    other = Desk(deck, desk.client)
    mine, theirs = desk.done().id, other.done().id
    await page.goto(f"/jobs?projects={desk.project},{other.project}")
    await shows(page, theirs, mine)
    await expect(page.get_by_role("columnheader", name="Project")).to_be_visible()
    await expect(row(page, theirs)).to_contain_text(other.project)
    await page.get_by_role("link", name=f"Remove the filter Project {other.project}").click()
    await shows(page, mine)
    await page.goto(desk.url())
    await expect(page.get_by_role("columnheader", name="Project")).to_have_count(0)
