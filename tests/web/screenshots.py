"""Pictures of the pages for the texts, made from the demo: `make screenshots`, or `python -m tests.web.screenshots`.

Runs the demo in a folder of its own, adds jobs that wait, run, pause and fail, and takes each page in light and dark,
wide and narrow."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from jobdeck.cli.demo.server import Server, demo_server
from jobdeck.client import Client
from tests.web.chromium import MISSING, SWITCHES, chromium
from tests.web.watch import log_in

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE, NARROW = (1440, 900), (390, 844)


@dataclass(frozen=True)
class Picture:
    """A page as it is to be taken. `path` may name `{running}`, `{failed}`, `{waiting}` and `{imported}`, jobs' ids."""

    name: str
    path: str
    size: tuple[int, int] = WIDE
    theme: str = "light"
    ready: str = "main"


PICTURES = [
    Picture("jobs", "/jobs"),
    Picture("jobs-dark", "/jobs", theme="dark"),
    Picture("jobs-narrow", "/jobs", size=NARROW),
    Picture("job-imported", "/jobs/{imported}"),
    Picture("job-steps", "/jobs/{imported}/steps"),
    Picture("job-failed", "/jobs/{failed}"),
    Picture("job-waiting-dark", "/jobs/{waiting}", theme="dark"),
    Picture("job-logs", "/jobs/{failed}/logs"),
    Picture("job-narrow", "/jobs/{running}", size=NARROW),
    Picture("run", "/run/import"),
    Picture("run-dark", "/run/import", theme="dark"),
    Picture("failures", "/failures"),
    Picture("failures-narrow", "/failures", size=NARROW),
]

ORDERS = "order,customer,amount\n1,Ada,12.50\n2,Grace,7.25\n"
BROKEN = "order,customer,amount\n3,Edsger,9.75\n4,Barbara,not a number\n"


def populate(client: Client) -> dict[str, int]:
    """Jobs in every state, besides the demo's imports; the ids of those that have a picture of their own."""
    imported = client.jobs.list(type=["import"], state=["succeeded"])
    jobs = {"imported": max(imported, key=lambda job: job.progress.done).id}
    for name, text in (("orders", ORDERS), ("orders-june", BROKEN)):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{name}.csv"
            file.write_text(text)
            params = {"files": [f"file:{client.files.upload(file).id}"], "into": "lake/shop.sales/orders"}
        for _ in range(1 if text is ORDERS else 3):
            jobs["failed"] = client.jobs.submit("import", params).id
            until_idle(client)
    client.jobs.submit("sleep", {"seconds": 0, "steps": 3, "fail_step": 1, "fail_times": 9}, tags=["nightly"])
    for _ in range(3):
        client.jobs.submit("noop", {})
    until_idle(client)
    compact = {"seconds": 40, "steps": 4, "tasks": 3, "write": "lake/flights/flights"}
    jobs["running"] = client.jobs.submit("sleep", compact, priority=7, description="Compact flights").id
    rebuild = {"seconds": 5, "write": "lake/flights/flights"}
    jobs["waiting"] = client.jobs.submit("sleep", rebuild, description="Rebuild the index of flights").id
    paused = client.jobs.submit("sleep", {"seconds": 60, "steps": 2}, description="Move cold partitions").id
    client.jobs.submit("sleep", {"seconds": 90, "steps": 6, "tasks": 2}, description="Verify the backup of May")
    client.jobs.pause(paused, reason="until the network is quieter")
    client.jobs.cancel(client.jobs.submit("sleep", {"seconds": 60}, description="Old export").id)
    return jobs


def until_idle(client: Client) -> None:
    deadline = time.monotonic() + 60
    while any(client.jobs.counts()[state] for state in ("pending", "running")):
        if time.monotonic() > deadline:
            raise TimeoutError("The demo's jobs did not end.")
        time.sleep(0.2)


async def take_all(server: Server, token: str, jobs: dict[str, int], pictures: list[Picture], folder: Path) -> None:
    program = chromium()
    if program is None:
        raise SystemExit(MISSING)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=SWITCHES)
        for picture in pictures:
            await take(browser, server.url, token, picture, picture.path.format(**jobs), folder)
        await browser.close()


async def take(browser: Browser, url: str, token: str, picture: Picture, path: str, folder: Path) -> None:
    width, height = picture.size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await log_in(page, url, token)
    await page.goto(url + path)
    await settled(page, picture.ready)
    await page.screenshot(path=folder / f"{picture.name}.png")
    print(f"{picture.name}.png", flush=True)
    await context.close()


async def settled(page: Page, ready: str) -> None:
    """The page is there, its scripts have run, and its fonts are laid out."""
    await page.locator(ready).first.wait_for()
    await page.wait_for_load_state("load")
    await page.evaluate("() => document.fonts.ready")
    await page.wait_for_timeout(700)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=IMAGES)
    parser.add_argument("--only", nargs="*", default=[], help="names of pictures")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    pictures = [p for p in PICTURES if not options.only or p.name in options.only]
    with tempfile.TemporaryDirectory(prefix="jobdeck-screenshots-") as folder:
        home = Path(folder) / "home"
        demo = [sys.executable, "-m", "jobdeck.cli.main", "demo", "--exit", "--home", str(home)]
        subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
        with demo_server(home, "127.0.0.1", None) as server:
            with server.client() as client:
                jobs = populate(client)
            time.sleep(2)
            token = (home / "admin.token").read_text().strip()
            asyncio.run(take_all(server, token, jobs, pictures, options.into))


if __name__ == "__main__":
    main()
