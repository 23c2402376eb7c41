"""The page of jobs in a browser, on a large database: what it weighs, and how long people wait.

    python benchmarks/bench_pages.py [--jobs 1000000] [--database sqlite|postgresql] [--repeat 7]

`first view` is what goes over the wire with an empty cache; `usable` is from the request until the page's scripts have
run and it can be clicked; a change of a filter is from the click until the rows are there. The browser takes its part
of the same cores."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bench_lists_data as data
import httpx2
import measuring
from bench_lists import database, server
from playwright.async_api import Page, async_playwright

BROWSER = "/usr/bin/chromium"
CHANGES = {
    "state failed": "a.state-failed",
    "last 12 h": "nav[aria-label='Created within'] a >> nth=0",
    "all again": "nav[aria-label='Created within'] a:text-is('All')",
    "all states": "#jobs-tabs a >> nth=0",
    "sort by duration": "th.c-duration a",
    "next page": "#jobs-next",
}
SEARCHES = {"search, in many": "orders", "search, one job": "batch-500000x"}
WENT = "new Promise(r => jobs.addEventListener('jobs:went', () => requestAnimationFrame(() => r(1)), {once: true}))"


async def first_view(page: Page, url: str) -> dict[str, Any]:
    """Bytes over the wire and ms until it is usable, with an empty cache."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    began = time.perf_counter()
    await page.goto(url, wait_until="load")
    await page.wait_for_selector("#jobs-rows tr")
    usable = (time.perf_counter() - began) * 1000
    await page.wait_for_timeout(500)
    await session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    await session.detach()
    return {"bytes": sum(received), "usable": usable}


async def change(page: Page, act: Callable[[str], Awaitable[None]], value: str) -> float:
    """Ms from what the person does until the list is there."""
    await page.evaluate(f"void (window.went = {WENT})")
    began = time.perf_counter()
    await act(value)
    await page.evaluate("window.went")
    return (time.perf_counter() - began) * 1000


async def changes(page: Page) -> dict[str, float]:
    """Ms of each change of a filter."""
    found = {}
    for name, selector in CHANGES.items():
        found[name] = await change(page, page.locator(selector).dispatch_event, "click")
    for name, text in SEARCHES.items():
        found[name] = await change(page, page.get_by_role("searchbox").fill, text)
    return found


async def measured(address: str, token: str, repeat: int) -> list[dict[str, Any]]:
    found: dict[str, list[float]] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(repeat):
            context = await browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
            await context.request.post("/login", form={"token": token}, max_redirects=0)
            page = await context.new_page()
            view = await first_view(page, "/jobs")
            found.setdefault("first view, kB", []).append(view["bytes"] / 1000)
            found.setdefault("usable", []).append(view["usable"])
            for name, took in (await changes(page)).items():
                found.setdefault(name, []).append(took)
            await context.close()
        await browser.close()
    return [
        {"what": name, "first": values[0], "median": measuring.median(values), "most": max(values)}
        for name, values in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--repeat", type=int, default=7)
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-pages")))
        url = stack.enter_context(database(asked.database, home))
        data.fill(url, asked.jobs, 4000)
        data.seal(url)
        client: httpx2.Client = stack.enter_context(server(home, url))
        address = str(client.base_url).removesuffix("/api/v1/").removesuffix("/api/v1")
        token = (home / "admin.token").read_text().strip()
        figures = asyncio.run(measured(address, token, asked.repeat))
    measuring.table(
        ["what", "first", "median", "most"], [[f["what"], f["first"], f["median"], f["most"]] for f in figures]
    )
    measuring.save(f"pages-{asked.database}-{asked.jobs}", figures)


if __name__ == "__main__":
    main()
