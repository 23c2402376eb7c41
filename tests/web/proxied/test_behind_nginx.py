"""The server behind a real nginx, with the configurations of docs/operations.md: TLS, and a path prefix."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Page, expect

from jobdeck import Client
from jobdeck.client.errors import NotFound, Unreachable
from jobdeck.core.errors import InvalidInput
from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.proxied.nginx import Proxy
from tests.web.watch import Watch

LONG = 30_000.0
"""ms that a test waits for something to become true: all of it goes through two servers and TLS."""
ADDRESSES = """() => [...document.querySelectorAll('a[href], form[action], script[src], link[href], [data-live-src]')]
    .map((e) => new URL(e.getAttribute('href') ?? e.getAttribute('action') ?? e.getAttribute('src')
                        ?? e.dataset.liveSrc, location.href))
    .filter((url) => url.protocol.startsWith('http')).map((url) => url.origin + url.pathname)"""


@pytest.mark.parametrize("path", ["", "/jobdeck", "/other/place"])
async def test_a_day_in_the_pages(
    path: str,
    request: pytest.FixtureRequest,
    behind: Deck,
    open_page: OpenPage,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Login link, list, live rows, a job and its log, the run form, and out: every address stays below the path."""
    proxy: Proxy = request.getfixturevalue("below_path" if path else "at_root")
    home = f"{proxy.url}{path}"
    page = await open_page(logged_in=False, at=behind, ignore_https_errors=True)
    page.set_default_timeout(LONG)
    watch.home = home
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.ca))
    with Client(home, behind.admin) as client:
        other, job = (client.jobs.submit("sleep", {"seconds": 600}) for _ in range(2))
        await _log_in(page, home, client, path)
        client.jobs.cancel(other.id)
        await expect(page.locator(f'[data-job="{other.id}"][data-state="canceled"]')).to_be_visible(timeout=LONG)
        await page.locator(f'a.job-link[href$="/jobs/{job.id}"]').click()
        await _look_at_the_job(page, home, job.id)
        client.jobs.cancel(job.id)
        await expect(page.locator("#job-head")).to_have_attribute("data-state", "canceled", timeout=LONG)
    for below in ("failures", "operations", "sessions", "run"):
        await page.goto(f"{home}/{below}")
        await _all_stay(page, home)
    await _run_and_leave(page, home, job.id)
    assert not await page.context.cookies(f"{home}/jobs")


async def _log_in(page: Page, home: str, client: Client, path: str) -> None:
    await page.goto(f"{home}/jobs?state=failed")
    assert page.url == f"{home}/login?next=/jobs%3Fstate%3Dfailed"
    link = client.login_link().url
    assert link.startswith(f"{home}/login?link=")
    await page.goto(link)
    await _all_stay(page, home)
    await page.locator("main form button[type=submit]").click()
    await page.wait_for_url(f"{home}/jobs")
    await _cookie_is_below(page, path)
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONG)
    await _all_stay(page, home)


async def _look_at_the_job(page: Page, home: str, job: int) -> None:
    await page.wait_for_url(f"{home}/jobs/{job}")
    for tab in ("Steps", "Events", "Logs"):
        await page.locator("a.tab", has_text=tab).click()
        await page.wait_for_url(f"{home}/jobs/{job}/{tab.lower()}")
        await _all_stay(page, home)


async def _run_and_leave(page: Page, home: str, before: int) -> None:
    await page.goto(f"{home}/run/noop")
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_url(f"{home}/jobs/{before + 1}")
    await page.keyboard.press("g")
    await page.keyboard.press("j")
    await page.wait_for_url(f"{home}/jobs")
    await page.locator("[popovertarget=user-menu]").click()
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url(f"{home}/login?bye=1")


async def _all_stay(page: Page, home: str) -> None:
    found: list[str] = await page.evaluate(ADDRESSES)
    assert found
    assert not [address for address in found if address != home and not address.startswith(f"{home}/")]


async def _cookie_is_below(page: Page, path: str) -> None:
    (cookie,) = await page.context.cookies()
    assert (cookie.get("path"), cookie.get("secure")) == (path or "/", True)
    assert cookie.get("name", "").startswith("__Secure-" if path else "__Host-")


def test_programs_trust_a_ca_of_their_own(
    at_root: Proxy, below_path: Proxy, behind: Deck, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also for this machine; without it the text says what is missing."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with Client(at_root.url, behind.admin, attempts=1) as client, pytest.raises(Unreachable) as refused:
        client.me()
    assert (refused.value.hint or "").endswith("in SSL_CERT_FILE.")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    with pytest.raises(InvalidInput, match="SSL_CERT_FILE names no certificates"):
        Client(at_root.url, behind.admin)
    monkeypatch.setenv("SSL_CERT_FILE", str(below_path.ca))
    for path in ("/jobdeck", "/other/place"):
        with Client(f"{below_path.url}{path}", behind.admin) as client:
            file = client.files.upload(_csv(tmp_path))
            job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": f"lake/a b/t{path[1:6]}"})
            assert client.jobs.wait(job.id, 60).state == "succeeded"
            assert any(event.kind == "succeeded" for event in client.jobs.events(job.id))
    with Client(f"{below_path.url}/jobdeck", behind.admin) as client:
        assert client.objects.describe("lake/a b/tjobde").rows == 1


def test_a_bound_token_need_not_name_its_project(behind: Deck, tmp_path: Path) -> None:
    """Jobs, files and tables go to its own project; a project that is named is the one that is meant."""
    project = behind.project()
    with Client(behind.url, behind.token("ci", "operator", project)) as client:
        file = client.files.upload(_csv(tmp_path))
        job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/a/b"})
        assert client.jobs.wait(job.id, 60).project == project
        assert client.objects.describe("lake/a/b").rows == 1
        assert [c.name for c in client.connections.list()] == ["lake"]
        with pytest.raises(NotFound, match="no project 'other'"):
            client.jobs.submit("noop", project="other")


def test_headers_count_from_trusted_proxies_alone(behind: Deck, at_root: Proxy) -> None:
    """What a visitor sends is not passed on, and a prefix that cannot be one is said."""
    asked = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    told = httpx2.get(f"{at_root.url}/jobs", headers=asked, verify=False, timeout=60)
    assert told.headers["location"] == "/login?next=/jobs"
    for prefix in ("/jobs", "/a b", "/../x", "/%2e", "/evil.example:1"):
        refused = httpx2.get(f"{behind.url}/jobs", headers={"X-Forwarded-Prefix": prefix}, timeout=60)
        assert (refused.status_code, refused.json()["field"]) == (400, "X-Forwarded-Prefix"), prefix


def _csv(folder: Path) -> Path:
    path = folder / "a.csv"
    path.write_text("id\n1\n")
    return path
