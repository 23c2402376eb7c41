"""What every page stands on: the frame, the policy, errors, the keyboard, themes, narrow screens."""

from __future__ import annotations

import re

import httpx2
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.web.conftest import Axe, OpenPage
from tests.web.deck import Deck
from tests.web.watch import Watch

NOWHERE = "/nowhere"
"""A page path without a page: the answer is the whole frame around an error."""


@pytest_asyncio.fixture(loop_scope="session")
async def framed(page: Page, watch: Watch) -> Page:
    watch.allow_status(404)
    await page.goto(NOWHERE)
    return page


async def test_policy_forbids_all_but_our_own(deck: Deck) -> None:
    answer = httpx2.get(f"{deck.url}/login", timeout=60)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'nonce-" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|<script>|<style|\son\w+=", answer.text)


async def test_a_page_asks_for_few_files(open_page: OpenPage) -> None:
    """Each file more is a turn that the first view waits for: two styles, two scripts, and
    nothing that holds up the document."""
    page = await open_page(width=1440)
    await page.goto("/jobs")
    asked = "performance.getEntriesByType('resource').map(r => r.name).filter(n => n.includes('/static/'))"
    names = await page.evaluate(asked)
    scripts = [name for name in names if name.endswith(".js") and "live_worker" not in name]
    assert len(scripts) == 2, names
    assert len([name for name in names if name.endswith(".css")]) == 2, names
    held_up = "document.querySelectorAll('script[src]:not([type=module])').length"
    assert await page.evaluate(held_up) == 0
    await page.evaluate("localStorage.setItem('jobdeck-theme', 'dark')")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_unknown_page_says_so_and_unknown_api_path_is_a_problem(deck: Deck, framed: Page) -> None:
    await expect(framed.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    await expect(framed.get_by_role("link", name="Go to the jobs")).to_be_visible()
    answer = httpx2.get(f"{deck.url}/api/v1/nowhere", headers={"Authorization": f"Bearer {deck.admin}"}, timeout=60)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_frame_and_login_are_accessible(open_page: OpenPage, watch: Watch, axe: Axe) -> None:
    watch.allow_status(404)
    page = await open_page(width=1440, logged_in=False)
    await page.goto("/login")
    await axe(page)
    page = await open_page(width=1440)
    await page.goto(NOWHERE)
    await axe(page)
    await page.get_by_role("button", name="You: admin").click()
    await expect(page.get_by_text("Times are shown in")).to_be_visible()
    await axe(page)


async def test_the_head_fits_whatever_the_project_is_called(framed: Page, deck: Deck, watch: Watch) -> None:
    """At the widths at which its parts stand in one line or in two, and while the connection is lost."""
    with deck.client() as client:
        client.projects.create(name := f"warehouse-of-all-forty-two-shops-{deck.port}")
    await framed.goto(f"{NOWHERE}?project={name}")
    await expect(framed.locator("#connection")).to_have_attribute("data-state", "live")
    for state in ("live", "reconnecting"):
        await framed.evaluate(
            "(state) => { const sign = document.getElementById('connection'); sign.dataset.state = state;"
            " sign.querySelector('.connection-text').textContent = state; }",
            state,
        )
        for width in (1440, 1024, 961, 960, 800, 721, 720, 390, 320):
            await framed.set_viewport_size({"width": width, "height": 800})
            assert await framed.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (state, width)
            await expect(framed.get_by_role("button", name="You: admin")).to_be_in_viewport(ratio=0.99)


async def test_keyboard_help_lists_what_keys_do(framed: Page) -> None:
    await framed.keyboard.press("?")
    dialog = framed.get_by_role("dialog", name="Keyboard")
    await expect(dialog).to_contain_text("Go to the failures")
    await framed.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await framed.keyboard.press("g")
    await framed.keyboard.press("f")
    await framed.wait_for_url("**/failures")


async def test_skip_link_leads_to_the_content(framed: Page) -> None:
    await framed.keyboard.press("Tab")
    await expect(framed.get_by_role("link", name="Skip to the content")).to_be_focused()
    await framed.keyboard.press("Enter")
    await expect(framed.locator("main")).to_be_focused()


async def test_theme_is_kept_and_there_before_the_first_paint(framed: Page) -> None:
    dark = "getComputedStyle(document.body).backgroundColor"
    before = await framed.evaluate(dark)
    await framed.get_by_role("button", name="You: admin").click()
    await framed.get_by_role("radio", name="Dark").check()
    after = await framed.evaluate(dark)
    assert before != after
    await framed.add_init_script(
        "addEventListener('DOMContentLoaded', () => { window.first = getComputedStyle(document.body).backgroundColor })"
    )
    await framed.reload()
    assert await framed.evaluate("window.first") == after


async def test_menu_is_walked_with_the_keyboard(framed: Page) -> None:
    opener = framed.get_by_role("button", name="All projects")
    await opener.focus()
    await framed.keyboard.press("Enter")
    menu = framed.get_by_role("menu", name="Project")
    await expect(menu.get_by_role("menuitem", name="All projects")).to_be_focused()
    await framed.keyboard.press("ArrowDown")
    await expect(menu.get_by_role("menuitem").nth(1)).to_be_focused()
    await framed.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_project_is_kept_in_the_address(framed: Page) -> None:
    await framed.get_by_role("button", name="All projects").click()
    await framed.get_by_role("menuitem", name="default").click()
    await framed.wait_for_url(f"**{NOWHERE}?project=default")
    href = await framed.get_by_role("link", name="Failures").get_attribute("href")
    assert href == "/failures?project=default"


async def test_assets_are_small_cached_for_ever_and_compressed(deck: Deck) -> None:
    html = httpx2.get(f"{deck.url}/login", timeout=60).text
    paths = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', html))
    assert len(paths) >= 3
    total = 0
    for path in paths:
        answer = httpx2.get(f"{deck.url}{path}", headers={"Accept-Encoding": "gzip"}, timeout=60)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        total += int(answer.headers["content-length"])
    assert total < 60_000
    for name in ("manifest.json", "stamp", "..%2fpage.py", "nothing.js"):
        assert httpx2.get(f"{deck.url}/static/{name}", timeout=60).status_code == 404
