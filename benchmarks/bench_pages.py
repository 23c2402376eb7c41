"""The page of jobs in a browser, on a large database: what it weighs, and how long people wait.

    python benchmarks/bench_pages.py [--jobs 1000000] [--database sqlite|postgresql] [--repeat 7] [--home DIR]

With `--home` the database (SQLite) is kept in that folder and used again: filling it takes longer than measuring.

`first view` is what goes over the wire with an empty cache; `usable` is from the request until the rows were drawn and
the page's scripts have run, so that it can be clicked, as the browser itself tells it (what the program that drives it
takes to ask comes on top, and no person waits for that); its column `first` is the first list after a start of the
server. A change of a filter is told by the page itself, from the event of the click or of the last key of a word, 30 ms
after the one before: `rows` until the rows are in the page, `painted` until they were drawn, and `counts` until the
counts are there as well. The
browser takes its part of the same cores; the load of the machine is told, too."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import lists_data as data
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
SEARCHES = {"search, in many": "orders", "search, one job": "batch-500000x", "search, an id": "654321"}
PHASES = ("rows", "painted", "counts")
TYPING = 30
"""ms from one key to the next."""
PROBE = """wanted => { window.probed = new Promise(done => {
  let from = 0;
  const ms = () => performance.now() - from;
  for (const kind of ["click", "keydown"]) addEventListener(kind, event => { from = event.timeStamp; }, true);
  jobs.addEventListener("jobs:went", function went() {
    if (wanted !== null && (new URLSearchParams(location.search).get("q") ?? "") !== wanted) return;
    jobs.removeEventListener("jobs:went", went);
    const took = {rows: ms()};
    requestAnimationFrame(() => setTimeout(() => {
      took.painted = ms();
      if (took.counts) done(took);
    }));
    const tabs = () => document.getElementById("jobs-tabs").hasAttribute("data-counting");
    const told = () => { if (!tabs()) { took.counts = ms(); if (took.painted) done(took); } };
    if (tabs()) jobs.addEventListener("jobs:changed", told, {once: true}); else told();
  });
}); }"""
"""Measures the next change; `wanted` is the text that is searched for, if it is a search."""


USABLE = """() => new Promise(done => {
  const told = () => {
    const [page] = performance.getEntriesByType("navigation");
    const [drawn] = performance.getEntriesByName("first-contentful-paint");
    if (!page.loadEventEnd || !drawn || !document.querySelector("#jobs-rows tr")) setTimeout(told, 10);
    else done(Math.max(page.loadEventEnd, drawn.startTime));
  };
  told();
})"""


async def first_view(page: Page, url: str) -> dict[str, Any]:
    """Bytes over the wire and ms until it is usable, with an empty cache."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    await page.goto(url, wait_until="load")
    usable = await page.evaluate(USABLE)
    await page.wait_for_timeout(500)
    await session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    await session.detach()
    return {"bytes": sum(received), "usable": usable}


async def change(page: Page, act: Callable[[], Awaitable[None]], wanted: str | None = None) -> dict[str, float]:
    """Ms from what the person does until each of PHASES."""
    await page.evaluate(PROBE, wanted)
    await act()
    took: dict[str, float] = await page.evaluate("window.probed")
    return took


async def changes(page: Page) -> dict[str, dict[str, float]]:
    """Ms of each change of a filter."""
    found = {}
    for name, selector in CHANGES.items():
        found[name] = await change(page, page.locator(selector).click)
    for name, text in SEARCHES.items():
        await page.get_by_role("searchbox").select_text()
        found[name] = await change(page, partial(page.keyboard.type, text, delay=TYPING), text)
    await page.get_by_role("searchbox").select_text()
    found["search taken away"] = await change(page, partial(page.keyboard.press, "Delete"), "")
    return found


async def measured(address: str, token: str, repeat: int) -> list[dict[str, Any]]:
    found: dict[str, list[float]] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        warm = await browser.new_page()  # a browser's own first page is not the server's
        await warm.goto(f"{address}/login")
        await warm.close()
        for _ in range(repeat):
            context = await browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
            await context.request.post("/login", form={"token": token}, max_redirects=0)
            page = await context.new_page()
            view = await first_view(page, "/jobs")
            found.setdefault("first view, kB", []).append(view["bytes"] / 1000)
            found.setdefault("usable", []).append(view["usable"])
            for name, took in (await changes(page)).items():
                for phase in PHASES:
                    found.setdefault(f"{name}: {phase}", []).append(took[phase])
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
    parser.add_argument("--home", type=Path, help="where the database is kept for the next run (SQLite)")
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = asked.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-pages")))
        home.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(database(asked.database, home))
        if not (home / "jobdeck.db").exists():
            data.fill(url, asked.jobs, 4000)
            data.seal(url)
        client: httpx2.Client = stack.enter_context(server(home, url))
        address = str(client.base_url).removesuffix("/api/v1/").removesuffix("/api/v1")
        token = (home / "admin.token").read_text().strip()
        before = os.getloadavg()[0]
        figures = asyncio.run(measured(address, token, asked.repeat))
        print(f"load of the machine: {before:.1f} before, {os.getloadavg()[0]:.1f} after")
    measuring.table(
        ["what", "first", "median", "most"], [[f["what"], f["first"], f["median"], f["most"]] for f in figures]
    )
    measuring.save(f"pages-{asked.database}-{asked.jobs}", figures)


if __name__ == "__main__":
    main()
