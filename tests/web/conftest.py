"""Pages in a real browser, from a real server."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from jobdeck.client import Client
from tests.architecture.tree import ROOT
from tests.web.chromium import MISSING, SWITCHES, chromium
from tests.web.deck import Deck
from tests.web.jobs.words import Desk, a_desk
from tests.web.watch import Watch, log_in

HERE = Path(__file__).parent
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
IN_DARK_AND_NARROW = ["color-contrast", "target-size"]
"""What may differ between the themes and the widths of one page; all else is asked once."""
PATIENCE = 30_000.0
"""ms that a test waits for something in a page to become true, on a machine that does other things, too. Tests of how
long something takes measure it."""
expect.set_options(timeout=PATIENCE)

Theme = Literal["light", "dark"]
OpenPage = Callable[..., Awaitable[Page]]
"""`await open_page(token=None, width=1280, height=900, theme="light", logged_in=True)`"""
Axe = Callable[[Page], Awaitable[None]]
"""`await axe(page)`: as it is, then in the dark and, unless a menu is open, narrow; it is as before afterwards."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here share one event loop, because they share one browser."""
    for item in items:
        asynchronous = isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function)
        if asynchronous and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if any("NO BROWSER" in str(report.longrepr) for report in skipped):
        terminalreporter.write_sep("!", MISSING, red=True, bold=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests. Where there is none, they are skipped; in CI that is a failure."""
    program = chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield started
        await started.close()


@pytest.fixture(scope="session")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """A server with a worker that all tests share; each takes a project of its own (`deck.project()`)."""
    with Deck.running(tmp_path_factory.mktemp("deck") / "home") as made:
        yield made


@pytest.fixture(scope="session")
def deck_client(deck: Deck) -> Iterator[Client]:
    """An administrator of the server that all tests share."""
    with deck.client() as client:
        yield client


@pytest.fixture
def desk(deck: Deck, deck_client: Client) -> Iterator[Desk]:
    """A project for one test; what it leaves behind is canceled."""
    with a_desk(deck, deck_client) as made:
        yield made


@pytest.fixture(scope="session")
def rich_deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """A server that also has the job type with a parameter of every kind, and small uploads."""
    folder = tmp_path_factory.mktemp("rich")
    info = folder / "rich_form-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rich-form\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jobdeck.job_types]\nrich = tests.web.rich_type:RichType\n")
    settings = {"PYTHONPATH": f"{ROOT}:{folder}", "JOBDECK_MAX_UPLOAD_MB": "1", "JOBDECK_ALLOW_COMMANDS": "true"}
    with Deck.running(folder / "home", settings) as made:
        yield made


@pytest.fixture
def own_deck(tmp_path: Path) -> Iterator[Deck]:
    """A server for one test that stops it, or needs an empty one."""
    with Deck.running(tmp_path / "home") as made:
        yield made


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Fails the test when its pages have errors, break their policy, or ask other hosts."""
    made = Watch("")
    yield made
    assert not made.trouble


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(deck: Deck, browser: Browser, watch: Watch) -> AsyncIterator[OpenPage]:
    """Opens pages of the shared server, each in a context of its own (so that none shares the others' session)."""
    watch.home = deck.url
    contexts = []

    async def make(
        *, token: str | None = None, width: int = 1280, height: int = 900, theme: Theme = "light",
        logged_in: bool = True, at: Deck | None = None, **options: Any,
    ) -> Page:  # fmt: skip
        server = at or deck
        watch.home = server.url
        context = await browser.new_context(
            base_url=server.url, viewport={"width": width, "height": height}, color_scheme=theme, **options
        )
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        contexts.append(context)
        made = await context.new_page()
        if logged_in:
            await log_in(made, server.url, token or server.admin)
        return made

    yield make
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> Page:
    """A page, 1280 wide and light, logged in as the administrator."""
    return await open_page()


@pytest_asyncio.fixture(loop_scope="session")
async def rich(open_page: OpenPage, rich_deck: Deck) -> Page:
    """The form of that type, in a project of its own."""
    page = await open_page(at=rich_deck)
    await page.goto(f"/run/rich?project={rich_deck.project()}")
    return page


@pytest.fixture
def axe() -> Axe:
    """Asserts that a page breaks no rule of WCAG 2.2 AA that a program can check, and nowhere scrolls sideways."""

    async def check(page: Page) -> None:
        before = page.viewport_size or {"width": 1280, "height": 900}
        await _ask(page, {"type": "tag", "values": RULES})
        await page.emulate_media(color_scheme="dark")
        if not await page.locator(MENUS).count():  # which stand where their buttons were when they were opened
            await page.set_viewport_size({"width": 390, "height": 844})
        await page.evaluate(SETTLED)
        await _ask(page, {"type": "rule", "values": IN_DARK_AND_NARROW})
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(before)

    return check


MENUS = ":popover-open:not(#toasts)"
SETTLED = """new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(() => then(Promise.allSettled(
    document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations === 1)
        .map((one) => one.finished))))))"""
"""The page is laid out anew, and what moves once has moved."""


async def _ask(page: Page, what: dict[str, Any]) -> None:
    """Look at the page as it is now."""
    sideways = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert sideways <= 0, f"{page.url} scrolls sideways by {sideways} px"
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        "(what) => axe.run(document, {runOnly: what, resultTypes: ['violations']}).then((found) => found.violations)",
        what,
    )
    told = [f"{rule['id']}: {_told(node)}" for rule in found for node in rule["nodes"]]
    assert not told, "\n".join(told)


def _told(node: dict[str, Any]) -> str:
    return f"{node['html'][:200]}\n  {node['failureSummary']}"
