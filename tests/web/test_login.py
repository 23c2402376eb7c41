"""Logging in and out, and what becomes of those who are not logged in."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Page, expect

from jobdeck.web.pages.sessions.page import browser
from tests.web.conftest import OpenPage
from tests.web.deck import Deck
from tests.web.watch import Watch


@pytest.fixture
def stranger(watch: Watch) -> None:
    """The page to come to after the login is not part of this."""
    watch.allow_status(404)


def browser_of(deck: Deck, **more: str) -> httpx2.Client:
    """A client that keeps cookies and follows nothing."""
    return httpx2.Client(base_url=deck.url, headers=more, follow_redirects=False, timeout=60)


def login_link(deck: Deck, token: str | None = None) -> str:
    answer = httpx2.post(
        f"{deck.url}/api/v1/login-links", headers={"Authorization": f"Bearer {token or deck.admin}"}, timeout=60
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def test_a_stranger_logs_in_with_a_token_and_arrives_where_he_wanted(
    open_page: OpenPage, deck: Deck, stranger: None
) -> None:
    page = await open_page(logged_in=False)
    await page.goto("/nowhere?state=failed")
    assert page.url == f"{deck.url}/login?next=/nowhere%3Fstate%3Dfailed"
    await page.get_by_label("Access token").fill(deck.admin)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/nowhere?state=failed")
    cookie = next(c for c in await page.context.cookies() if c["name"] == deck.cookie)
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["value"] not in await page.content()


async def test_a_wrong_token_is_told_of(open_page: OpenPage, watch: Watch) -> None:
    watch.allow_status(401)
    page = await open_page(logged_in=False)
    await page.goto("/login")
    await page.get_by_label("Access token").fill("jd_wrong")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("This token is not known")


async def test_a_link_logs_in_with_one_click_and_once(open_page: OpenPage, deck: Deck, watch: Watch) -> None:
    watch.allow_status(404, 410)
    link = login_link(deck)
    page = await open_page(logged_in=False)
    await page.goto(f"{link}&next=/nowhere")
    await expect(page.locator("form[data-submit-now]")).to_have_count(0)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/nowhere")
    other = await open_page(logged_in=False)
    await other.goto(link)
    await expect(other.get_by_role("alert")).to_contain_text("You are not logged in")
    await expect(other.get_by_role("alert")).to_contain_text("used already")
    await expect(other.get_by_role("alert")).to_contain_text("jobdeck login")
    await page.goto(link)
    await expect(page.get_by_role("alert")).to_contain_text("You are still logged in as admin")
    await page.get_by_role("link", name="Go on to the jobs").click()
    await expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


async def test_sessions_are_ended_after_a_question_only(open_page: OpenPage, deck: Deck, watch: Watch) -> None:
    watch.allow_status(401, 404)
    page = await open_page(token=(mine := deck.token("asked", "viewer")))
    with browser_of(deck) as browser:
        assert browser.post("/login", data={"token": mine}).status_code == 303
        await page.goto("/sessions")
        await page.get_by_role("row").filter(has_not_text="this one").get_by_role("button", name="End").click()
        question = page.get_by_role("dialog", name="End this session?")
        await expect(question.get_by_role("button", name="Keep as it is")).to_be_focused()
        await page.keyboard.press("Enter")
        assert browser.get("/api/v1/me").status_code == 200
        await page.get_by_role("row").filter(has_not_text="this one").get_by_role("button", name="End").click()
        await question.get_by_role("button", name="End the session").click()
        await expect(page.get_by_role("row")).to_have_count(2)
        assert browser.get("/api/v1/me").status_code == 401
    await page.get_by_role("button", name="Log out everywhere").click()
    await page.get_by_role("dialog").get_by_role("button", name="Log out everywhere").click()
    await page.wait_for_url("**/login*")


def test_looking_at_a_link_uses_nothing_up(deck: Deck) -> None:
    """Mail programs and browsers fetch links that nobody has followed."""
    link = login_link(deck)
    for method in ("HEAD", "GET", "GET"):
        assert httpx2.request(method, link).status_code == 200
    for status in (303, 410):
        assert (
            httpx2.post(f"{deck.url}/login", data={"link": link.partition("link=")[2]}, timeout=60).status_code
            == status
        )


async def test_a_link_of_somebody_else_asks_first(open_page: OpenPage, deck: Deck, stranger: None) -> None:
    """Else a link sent by mail could make people work, unaware, in another's name."""
    link = login_link(deck, deck.token("somebody", "viewer"))
    page = await open_page()
    await page.goto(f"{link}&next=/nowhere")
    await expect(page.get_by_text("logged in as admin now")).to_be_visible()
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/nowhere")
    await page.get_by_role("button", name="You: somebody").click()
    await expect(page.get_by_text("viewer in all projects")).to_be_visible()


def test_a_session_ends_with_its_token(deck: Deck) -> None:
    with deck.client() as client:
        made = client.tokens.create("short-lived", "viewer")
        with browser_of(deck) as browser:
            assert browser.post("/login", data={"token": made.token}).status_code == 303
            assert browser.get("/api/v1/me").json()["name"] == "short-lived"
            client.tokens.revoke(made.id)
            assert browser.get("/api/v1/me").status_code == 401
            answer = browser.get("/")
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_logging_out_ends_the_session(page: Page, deck: Deck, watch: Watch) -> None:
    watch.allow_status(404, 401)
    await page.goto("/nowhere")
    cookie = next(c for c in await page.context.cookies() if c["name"] == deck.cookie)["value"]
    await page.get_by_role("button", name="You: admin").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_text("You are logged out.")).to_be_visible()
    assert not [c for c in await page.context.cookies() if c["name"] == deck.cookie]
    assert httpx2.get(f"{deck.url}/api/v1/me", cookies={deck.cookie: cookie}, timeout=60).status_code == 401


@pytest.mark.parametrize(
    "next", ["https://evil.example", "//evil.example", "/\\evil.example", "/login", "javascript:alert(1)", "x", "/\n/x"]
)
def test_login_leads_only_to_pages_of_ours(deck: Deck, next: str) -> None:
    with browser_of(deck) as browser:
        answer = browser.post("/login", data={"token": deck.admin, "next": next})
    assert answer.headers["location"] == "/jobs"


def test_scripts_are_told_to_log_in(deck: Deck) -> None:
    headers = {"X-Jobdeck-Fragment": "true", "X-Jobdeck-Page": f"{deck.url}/jobs?project=default"}
    answer = httpx2.get(f"{deck.url}/", headers=headers, timeout=60)
    assert answer.status_code == 401
    assert answer.headers["x-jobdeck-redirect"] == "/login?next=/jobs%3Fproject%3Ddefault"


ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


class TestAnotherSite:
    """Requests that change something, with the cookie of a session that another site makes the browser send."""

    @pytest.fixture
    def browser(self, deck: Deck) -> Iterator[httpx2.Client]:
        with browser_of(deck) as browser:
            assert browser.post("/login", data={"token": deck.admin}).status_code == 303
            yield browser

    def csrf(self, browser: httpx2.Client) -> str:
        text = browser.get("/nowhere").text
        return text.partition('name="csrf-token" content="')[2].partition('"')[0]

    @pytest.mark.parametrize("path", ["/api/v1/projects/default/jobs", "/logout"])
    def test_without_the_secret_is_refused(self, browser: httpx2.Client, path: str) -> None:
        kind = {"json": {"type": "noop"}} if path.startswith("/api") else {"data": {"a": "b"}}
        for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": ""}):
            answer = browser.post(path, headers=headers, **kind)  # type: ignore[arg-type]
            assert answer.status_code == 403
            assert ("cross_site_refused" in answer.text) == path.startswith("/api")
        assert browser.get("/api/v1/me").status_code == 200

    @pytest.mark.parametrize("origin", ELSEWHERE)
    def test_from_elsewhere_is_refused_even_with_the_secret(
        self, browser: httpx2.Client, origin: dict[str, str]
    ) -> None:
        headers = {"X-CSRF-Token": self.csrf(browser), **origin}
        answer = browser.post("/api/v1/projects/default/jobs", json={"type": "noop"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused")
        assert browser.post("/login", data={"token": "x"}, headers=origin).status_code == 403

    def test_with_the_secret_is_done(self, browser: httpx2.Client, deck: Deck) -> None:
        headers = {"X-CSRF-Token": self.csrf(browser), "Origin": deck.url, "Sec-Fetch-Site": "same-origin"}
        answer = browser.post("/api/v1/projects/default/jobs", json={"type": "noop"}, headers=headers)
        assert answer.status_code == 202
        assert browser.post("/logout", data={"_csrf": headers["X-CSRF-Token"]}).status_code == 303
        assert browser.get("/api/v1/me").status_code == 401

    def test_a_token_needs_no_secret(self, browser: httpx2.Client, deck: Deck) -> None:
        """No site can make a browser send it."""
        headers = {"Authorization": f"Bearer {deck.admin}"}
        answer = browser.post("/api/v1/projects/default/jobs", json={"type": "noop"}, headers=headers)
        assert answer.status_code == 202


def test_the_command_line_makes_a_link(deck: Deck) -> None:
    command = [sys.executable, "-m", "jobdeck.cli.main", "login", "--url", deck.url, "--home", str(deck.home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    link = done.stdout.strip()
    assert link.startswith(f"{deck.url}/login?link=")
    assert "once" in done.stderr
    assert "Log in as admin" in httpx2.get(link, timeout=60).text
    log = deck.log
    assert "/login?link=" not in log, "a log is no place for a key, and others may read it later"
    assert "`jobdeck login` prints a link" in log


def test_up_prints_a_link_on_a_terminal(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "jobdeck.cli.main", "up", "--home", str(tmp_path / "home"), "--port", "0"]
    with subprocess.Popen(command, stdin=inside, stdout=inside, stderr=subprocess.DEVNULL) as started:
        os.close(inside)
        said = ""
        try:
            while "Ctrl-C stops it" not in said:
                said += os.read(terminal, 4096).decode()
        finally:
            started.terminate()
            started.wait(60)
            os.close(terminal)
    assert "Log in, once and within an hour: http://127.0.0.1:" in said
    assert "/login?link=" in said


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (None, "unknown"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.9", "curl/8.9"),
    ],
)
def test_browsers_are_called_as_people_call_them(agent: str | None, name: str) -> None:
    assert browser(agent) == name
