"""The components that pages are made of: accessible in both themes and on narrow screens, and they do what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from jobdeck.core.life.states import State
from jobdeck.web.rendering import Templates
from jobdeck.web.static_files import StaticFiles
from tests.web.conftest import Axe, OpenPage
from tests.web.watch import Watch

GALLERY = Path(__file__).with_name("gallery.html")


def components(at: datetime | None = None) -> str:
    """All components, as HTML."""
    templates = Templates(StaticFiles(), "1")
    templates.macros.renew()
    template = templates.environment.from_string(GALLERY.read_text())
    states = [*State, "skipped"]
    return template.render(states=states, at=at or datetime.now(UTC) - timedelta(minutes=3, seconds=20))


async def show(page: Page) -> None:
    """The gallery in the frame of an error page, under the policy that all pages have."""

    async def answer(route: Route) -> None:
        response = await route.fetch()
        head, _, rest = (await response.text()).partition('<div class="error-page">')
        text = f"{head}{components()}</main>{rest.partition('</main>')[2]}"
        await route.fulfill(response=response, status=200, body=text)

    await page.route("**/gallery", answer)
    await page.goto("/gallery")


async def test_all_are_accessible_and_fit(open_page: OpenPage, axe: Axe) -> None:
    page = await open_page(width=1440)
    await show(page)
    await axe(page)
    for width in (1440, 390):
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate(SMALL) == [], "smaller than 24 px"


SMALL = """[...document.querySelectorAll("main a.button, main button, main .chip-remove, main .tab, main .segmented a")]
    .filter((e) => e.checkVisibility())
    .map((e) => [e.textContent.trim(), e.getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)"""


async def test_a_state_is_told_by_shape_and_word(page: Page) -> None:
    await show(page)
    badges = page.locator("td .state")
    words = await badges.all_inner_texts()
    shapes = await badges.locator("use").evaluate_all("(uses) => uses.map((use) => use.getAttribute('href'))")
    assert words == [*State, "skipped"]
    assert len(set(shapes)) == len(words)


async def test_times_are_relative_and_exact_on_hover(page: Page) -> None:
    await show(page)
    time = page.locator("td time").first
    await expect(time).to_have_text("3m ago")
    assert ":" in (await time.get_attribute("title") or "")


@pytest.mark.parametrize(("key", "agreed"), [("Escape", False), ("Enter", False), ("yes", True)])
async def test_what_is_dangerous_is_asked_and_no_is_the_default(page: Page, key: str, agreed: bool) -> None:
    await show(page)
    await page.evaluate(
        """() => {
            const form = document.createElement("form");
            form.innerHTML = '<button id="go">Go</button>';
            Object.assign(form.dataset, { confirmTitle: "Cancel job 12?", confirm: "Its work is lost.",
                                          confirmYes: "Cancel the job", confirmTone: "danger" });
            window.sent = 0;
            form.addEventListener("submit", (event) => { event.preventDefault(); window.sent += 1; });
            document.querySelector("main").prepend(form);
        }"""
    )
    await page.locator("#go").click()
    dialog = page.get_by_role("dialog", name="Cancel job 12?")
    await expect(dialog).to_contain_text("Its work is lost.")
    await (dialog.get_by_role("button", name="Cancel the job").click() if agreed else page.keyboard.press(key))
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#go")).to_be_focused()
    assert await page.evaluate("window.sent") == (1 if agreed else 0)


async def test_copying_puts_the_text_on_the_clipboard(page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await show(page)
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == "jobdeck jobs list"


async def test_an_error_of_a_fragment_is_told_in_the_servers_words(page: Page, watch: Watch) -> None:
    watch.allow_status(403)
    await show(page)
    await page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'of an older session'")
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.locator(".toast")).to_contain_text("Load the page again")
