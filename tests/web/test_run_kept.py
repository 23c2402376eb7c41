"""A form that is left and found again: after the session ended, from another page, and never with its secrets."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from jobdeck.services.masking import secret_names
from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.rich_type import Rich
from tests.web.watch import Watch

STORED = "JSON.stringify(Object.entries(sessionStorage).filter(([name]) => name.startsWith('jobdeck')))"
KEPT = "What you wrote here before is back."


@pytest.mark.parametrize("looks_first", [False, True])
async def test_control_enter_runs_wherever_the_focus_is(page: Page, deck: Deck, looks_first: bool) -> None:
    await page.goto(f"/run/noop?project={deck.project()}")
    await page.wait_for_load_state("load")
    if looks_first:
        await page.get_by_role("button", name="Dry run").click()
        await expect(page.get_by_text("It can run")).to_be_visible()
        await expect(page.locator("#run-plan")).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await page.wait_for_url(re.compile(r"/jobs/\d+"))


async def test_form_survives_the_end_of_the_session(page: Page, deck: Deck, watch: Watch) -> None:
    watch.allow_status(401)
    project = deck.project()
    await page.goto(f"/run/import?project={project}")
    await page.get_by_label("Into").fill("lake/in.shop/kept")
    await page.get_by_text("When and how").click()
    await page.get_by_label("Description").fill("written for long")
    await page.get_by_role("button", name="Add a path or address").click()
    await page.get_by_label("Files 1", exact=True).fill("/data/orders.csv")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Dry run").click()
    await page.get_by_label("Access token").fill(deck.admin)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"**/run/import?project={project}")
    await expect(page.get_by_text(KEPT)).to_be_visible()
    await expect(page.get_by_label("Into")).to_have_value("lake/in.shop/kept")
    await expect(page.get_by_label("Files 1", exact=True)).to_have_value("/data/orders.csv")
    await expect(page.get_by_label("Description")).to_have_value("written for long")


async def test_form_is_there_after_going_away_and_back_until_it_has_run(page: Page, deck: Deck) -> None:
    address = f"/run/sleep?project={deck.project()}"
    await page.goto(address)
    await page.get_by_label("Seconds").fill("0.25")
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Failures").click()
    await page.wait_for_url("**/failures*")
    await page.go_back()
    await expect(page.get_by_label("Seconds")).to_have_value("0.25")
    await page.goto(address)
    await expect(page.get_by_text(KEPT)).to_be_visible()
    await page.get_by_role("button", name="Begin anew").click()
    await expect(page.get_by_label("Seconds")).not_to_have_value("0.25")
    await expect(page.get_by_text(KEPT)).to_be_hidden()
    await page.get_by_label("Seconds").fill("0.01")
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_url(re.compile(r"/jobs/\d+"))
    await page.goto(address)
    await expect(page.get_by_text(KEPT)).to_be_hidden()
    assert await page.evaluate(STORED) == "[]"


async def test_secrets_are_not_kept(rich: Page) -> None:
    await rich.get_by_text("More options").first.click()
    await rich.get_by_label("Text required").fill("no secret")
    await rich.locator("input[type=password]").first.fill("hunter2")
    await rich.get_by_role("button", name="Add to Names").click()
    await rich.get_by_label("Names: name 1").fill("api_token")
    await rich.get_by_label("Names: value 1").fill("hunter3")
    await rich.wait_for_function(f"() => {STORED}.includes('no secret')")
    address = rich.url
    await rich.goto("/jobs")
    stored = await rich.evaluate(STORED)
    assert "no secret" in stored
    assert "hunter" not in stored
    await rich.goto(address)
    await expect(rich.get_by_text("Secrets are not kept: write them again.")).to_be_visible()
    await rich.get_by_role("button", name="JSON", exact=True).click()
    field = rich.get_by_label("Parameters as JSON")
    await field.fill('{"text": "as JSON", "secret": "hunter4", "names": {"db_password": "hunter5"}}')
    await rich.wait_for_function(f"() => {STORED}.includes('as JSON')")
    await field.fill('{"text": "as JSON", "secret": "hunter6')
    await rich.goto("/jobs")
    assert "hunter" not in await rich.evaluate(STORED)
    await rich.get_by_role("button", name="You: admin").click()
    await rich.get_by_role("button", name="Log out").click()
    await rich.wait_for_url("**/login*")
    assert await rich.evaluate(STORED) == "[]"


async def test_somebody_else_in_the_same_tab_finds_nothing(open_page: OpenPage, deck: Deck) -> None:
    project = deck.project()
    page = await open_page(token=deck.token(f"first{project}", "operator", project))
    await page.goto("/run/sleep")
    await page.get_by_label("Seconds").fill("0.75")
    await page.wait_for_function(f"() => {STORED}.includes('0.75')")
    await page.context.clear_cookies()
    await page.goto("/run/sleep")
    await page.get_by_label("Access token").fill(deck.token(f"second{project}", "operator", project))
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/run/sleep")
    await expect(page.get_by_label("Seconds")).not_to_have_value("0.75")


@pytest.mark.parametrize("name", ["secret", "db_password", "env", "Environment", "API_KEY", "pin", "headers"])
def test_names_of_secrets(name: str) -> None:
    schema = {
        "$defs": {"Pin": {"type": "string", "format": "password"}},
        "properties": {"pin": {"$ref": "#/$defs/Pin"}, "headers": {"additionalProperties": {"writeOnly": True}}},
    }
    assert re.search(secret_names(schema), name, re.IGNORECASE)


@pytest.mark.parametrize("name", ["text", "into", "files", "environments", "pins", "keys"])
def test_names_that_are_no_secrets(name: str) -> None:
    assert not re.search(secret_names(Rich.model_json_schema()), name, re.IGNORECASE)
