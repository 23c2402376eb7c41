"""The server behind a real nginx, with the configurations of docs/operations.md: TLS, and a path prefix."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Page, expect

from jobdeck import Client
from jobdeck.client.errors import Unreachable
from jobdeck.core.errors import InvalidInput
from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.proxied.nginx import Proxy
from tests.web.watch import Watch

ADDRESSES = """() => [...document.querySelectorAll('a[href], form[action], script[src], link[rel=stylesheet], [data-live-src]')]
    .map((e) => new URL(e.getAttribute('href') ?? e.getAttribute('action') ?? e.getAttribute('src')
                        ?? e.dataset.liveSrc, location.href))
    .filter((url) => url.protocol.startsWith('http')).map((url) => url.origin + url.pathname)"""


@pytest.mark.parametrize("path", ["", "/jobdeck", "/other/place"])
async def test_a_day_in_the_pages(
    path: str, request: pytest.FixtureRequest, behind: Deck, open_page: OpenPage, watch: Watch, tmp_path: Path
) -> None:
    """Login link, list, live rows, a job and its log, the run form, and out: every address stays below the path."""
    proxy: Proxy = request.getfixturevalue("below_path" if path else "at_root")
    home = f"{proxy.url}{path}"
    page = await open_page(logged_in=False, at=behind, ignore_https_errors=True)
    watch.home = home
    with _client(behind, home, proxy, monkeypatch=request.getfixturevalue("monkeypatch")) as client:
        link = client.login_link().url
        assert link.startswith(f"{home}/login?link=")
        await page.goto(f"{home}/jobs?state=failed")
        assert page.url == f"{home}/login?next=/jobs%3Fstate%3Dfailed"
        await page.goto(link)
        await _all_stay(page, home)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(f"{home}/jobs")
        await _cookie_is_below(page, path)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        job = client.jobs.submit("sleep", {"seconds": 600})
        row = page.get_by_role("link", name="sleep").first
        await expect(row).to_be_visible()
        await _all_stay(page, home)
        await row.click()
        await page.wait_for_url(f"{home}/jobs/{job.id}")
        for tab in ("Steps", "Events", "Logs"):
            await page.get_by_role("link", name=tab, exact=True).click()
            await page.wait_for_url(f"{home}/jobs/{job.id}/{tab.lower()}")
            await _all_stay(page, home)
        client.jobs.cancel(job.id)
        await expect(page.locator("#job-head")).to_have_attribute("data-state", "canceled")
        for below in ("failures", "operations", "sessions", "run"):
            await page.goto(f"{home}/{below}")
            await _all_stay(page, home)
        await page.goto(f"{home}/run/noop")
        await page.get_by_role("button", name="Run", exact=True).click()
        await page.wait_for_url(f"{home}/jobs/{job.id + 1}")
        await page.keyboard.press("g")
        await page.keyboard.press("j")
        await page.wait_for_url(f"{home}/jobs")
        await page.locator("#user-menu-button, [popovertarget=user-menu]").first.click()
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url(f"{home}/login?bye=1")
    assert not await page.context.cookies(home)


async def _all_stay(page: Page, home: str) -> None:
    found: list[str] = await page.evaluate(ADDRESSES)
    assert found
    assert not [address for address in found if address != home and not address.startswith(f"{home}/")]


async def _cookie_is_below(page: Page, path: str) -> None:
    (cookie,) = await page.context.cookies()
    assert (cookie.get("path"), cookie.get("secure")) == (path or "/", True)
    assert cookie.get("name", "").startswith("__Secure-" if path else "__Host-")


def _client(behind: Deck, home: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.ca))
    return Client(home, behind.admin)


def test_programs_trust_a_ca_of_their_own(at_root: Proxy, below_path: Proxy, behind: Deck, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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


def test_headers_count_from_trusted_proxies_alone(behind: Deck, at_root: Proxy) -> None:
    """What a visitor sends is not passed on, and a prefix that cannot be one is said."""
    asked = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    told = httpx2.get(f"{at_root.url}/jobs", headers=asked, verify=False)
    assert told.headers["location"] == "/login?next=/jobs"
    for prefix in ("/jobs", "//evil.example", "/a b", "/../x", "/%2e"):
        refused = httpx2.get(f"{behind.url}/jobs", headers={"X-Forwarded-Prefix": prefix})
        assert (refused.status_code, refused.json()["field"]) == (400, "X-Forwarded-Prefix"), prefix


def _csv(folder: Path) -> Path:
    path = folder / "a.csv"
    path.write_text("id\n1\n")
    return path
