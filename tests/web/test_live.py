"""Live: one stream for all tabs, nothing missed, a server that comes back, and parts of pages that keep themselves
up to date without taking anything from under a person's hands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.held import held_back
from tests.web.watch import Watch

WITHOUT_WORKER = "delete window.SharedWorker"
"""As in the browsers that have none: one of the tabs leads."""


@dataclass
class Part:
    """A part of a page that keeps itself up to date, put into the frame of an error page; its server is the test."""

    html: str = "<p>first</p>"
    name: str = "part"
    asked: list[str] = field(default_factory=list)
    """The header X-Jobdeck-Fragment of each request for it."""

    async def put_into(self, page: Page, **attributes: str) -> None:
        """Open the frame, and put the part there."""
        await page.goto("/nowhere")
        await self.add_to(page, **attributes)

    async def add_to(self, page: Page, **attributes: str) -> None:
        await page.route(f"**/{self.name}", self._answer)
        await page.evaluate(
            """([name, html, attributes]) => {
                const part = document.createElement("section");
                part.id = name;
                part.innerHTML = html;
                part.dataset.liveSrc = `/${name}`;
                part.dataset.liveWait = "50";
                for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
                document.querySelector("main").append(part);
                part.dispatchEvent(new CustomEvent("morphed", { bubbles: true }));
            }""",
            [self.name, self.html, {name.replace("_", "-"): value for name, value in attributes.items()}],
        )

    async def _answer(self, route: Route, request: Request) -> None:
        self.asked.append(request.headers.get("x-jobdeck-fragment", ""))
        await route.fulfill(body=self.html, content_type="text/html")


@pytest.fixture(scope="module")
def lone_deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """A server that only these tests use: they count its streams, and stop it."""
    with Deck.running(tmp_path_factory.mktemp("lone") / "home") as made:
        yield made


def submit(deck: Deck, project: str = "default") -> int:
    with deck.client() as client:
        return client.jobs.submit("noop", {}, project=project).id


async def is_live(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")


async def streams_become(deck: Deck, count: int) -> None:
    """Wait until the server has so many open streams."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {deck.admin}"}) as http:
        async with asyncio.timeout(10):
            found = -1
            while found != count:
                text = (await http.get(f"{deck.url}/metrics")).text
                told = re.search(r"^jobdeck_feed_streams (\d+)", text, re.MULTILINE)
                found = int(told[1]) if told else -1


@pytest.fixture(autouse=True)
def _frame_of_an_error_page(watch: Watch) -> None:
    watch.allow_status(404)


@pytest.mark.parametrize("worker", ["shared worker", "leading tab"])
async def test_tabs_share_one_stream(lone_deck: Deck, open_page: OpenPage, worker: str) -> None:
    first = await open_page(at=lone_deck)
    if worker == "leading tab":
        await first.context.add_init_script(WITHOUT_WORKER)
    parts = []
    tabs = [first, *[await first.context.new_page() for _ in range(7)]]
    for tab in tabs:
        part = Part()
        await part.put_into(tab)
        await is_live(tab)
        parts.append(part)
    await streams_become(lone_deck, 1)
    for part in parts:
        part.html = "<p>second</p>"
    submit(lone_deck)
    for tab in tabs:
        await tab.bring_to_front()
        await expect(tab.locator("#part")).to_have_text("second")
    await tabs[0].close()  # the one that leads
    await is_live(tabs[1])
    for part in parts:
        part.html = "<p>third</p>"
    submit(lone_deck)
    await tabs[1].bring_to_front()
    await expect(tabs[1].locator("#part")).to_have_text("third")
    await streams_become(lone_deck, 1)
    await first.context.close()
    await streams_become(lone_deck, 0)


async def test_what_happens_while_the_page_loads_is_not_missed(deck: Deck, page: Page) -> None:
    await page.context.add_init_script(WITHOUT_WORKER)
    reached, go = await held_back(page, "**/api/v1/events*")
    part = Part()
    await part.put_into(page)
    await reached.wait()
    part.html = "<p>second</p>"
    submit(deck)
    go.set()
    await expect(page.locator("#part")).to_have_text("second")


async def test_only_what_concerns_a_part_is_fetched(deck: Deck, page: Page) -> None:
    quiet, busy = deck.project(), deck.project()
    part, witness = Part(), Part(name="witness")
    await witness.put_into(page, data_live_project=busy)
    await part.add_to(page, data_live_project=quiet)
    await is_live(page)
    witness.html = "<p>second</p>"
    submit(deck, busy)
    # Both would be fetched at the same time, so what the witness shows by now the other would have asked for.
    await expect(page.locator("#witness")).to_have_text("second")
    assert not part.asked
    part.html = "<p>third</p>"
    submit(deck, quiet)
    await expect(page.locator("#part")).to_have_text("third")
    assert set(part.asked) == {"true"}


async def test_a_server_that_comes_back_is_found_again(lone_deck: Deck, open_page: OpenPage, watch: Watch) -> None:
    watch.allow_outage()
    page = await open_page(at=lone_deck)
    part = Part()
    await part.put_into(page)
    await is_live(page)
    lone_deck.stop()
    await expect(page.locator("#connection")).to_have_attribute("data-state", re.compile("reconnecting|offline"))
    part.html = "<p>after the restart</p>"
    lone_deck.start()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    await expect(page.locator("#part")).to_have_text("after the restart")
    part.html = "<p>and on</p>"
    submit(lone_deck)
    await expect(page.locator("#part")).to_have_text("and on")


async def test_a_session_that_ended_is_told_of(lone_deck: Deck, open_page: OpenPage, watch: Watch) -> None:
    watch.allow_outage()
    watch.allow_status(401)
    with lone_deck.client() as client:
        made = client.tokens.create("leaving", "viewer")
        page = await open_page(at=lone_deck, token=made.token)
        await page.goto("/nowhere")
        await is_live(page)
        client.tokens.revoke(made.id)
    lone_deck.stop(hard=True)
    lone_deck.start()
    await expect(page.get_by_text("Your session has ended.")).to_be_visible(timeout=20_000)


FORM = """
<details id="more"><summary>More</summary><p id="inside">inside</p></details>
<label><input type="checkbox" id="tick"> tick</label>
<label>Name <input id="name" value="as the server says"></label>
<label>Other <input id="other" value="{value}"></label>
<div id="kept" data-keep>{value}</div>
<p id="text">{value}</p>
<div id="long">{lines}</div>
"""


async def test_a_morph_takes_nothing_from_under_a_persons_hands(deck: Deck, page: Page) -> None:
    lines = "".join(f"<p id='l{n}'>line {n}</p>" for n in range(200))
    part = Part(FORM.format(value="one", lines=lines))
    await part.put_into(page)
    await is_live(page)
    await page.get_by_text("More").click()
    await page.locator("#tick").check()
    await page.locator("#name").fill("typed by me")
    await page.evaluate("document.getElementById('name').setSelectionRange(2, 5)")
    await page.evaluate("scrollTo(0, 300)")
    part.html = FORM.format(value="two", lines=lines)
    submit(deck)
    await expect(page.locator("#text")).to_have_text("two")
    await expect(page.locator("#other")).to_have_value("two")
    await expect(page.locator("#kept")).to_have_text("one")
    await expect(page.locator("#inside")).to_be_visible()
    await expect(page.locator("#tick")).to_be_checked()
    await expect(page.locator("#name")).to_have_value("typed by me")
    await expect(page.locator("#name")).to_be_focused()
    assert await page.evaluate("document.getElementById('name').selectionStart") == 2
    assert await page.evaluate("scrollY") == 300
