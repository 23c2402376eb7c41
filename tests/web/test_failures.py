"""The page Failures: groups, filters in the address, one group, and retrying all its jobs."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from jobdeck.web.pages.failures.chart import chart, length, words
from jobdeck.wire.failures import Trend
from tests.web.conftest import Axe, OpenPage
from tests.web.deck import Deck


def fail(deck: Deck, project: str, count: int = 1, *, step: int = 0, times: int = 1) -> list[int]:
    """Jobs that have failed, and would succeed when they are resumed."""
    params = {"seconds": 0, "steps": step + 1, "fail_step": step, "fail_times": times}
    with deck.client() as client:
        ids = [client.jobs.submit("sleep", params, project=project).id for _ in range(count)]
        assert {client.jobs.wait(job, 30).state for job in ids} == {"failed"}
    return ids


def fingerprint(deck: Deck, job: int) -> str:
    with deck.client() as client:
        error = client.jobs.get(job).error
        assert error is not None
        assert error.fingerprint is not None
        return error.fingerprint


@pytest.fixture
def project(deck: Deck) -> str:
    return deck.project()


async def test_failures_of_a_kind_stand_together(page: Page, deck: Deck, project: str) -> None:
    jobs = fail(deck, project, 2)
    fail(deck, project, step=1)
    await page.goto(f"/failures?project={project}")
    await expect(page.get_by_text(f"3 failures of 2 kinds in {project}.")).to_be_visible()
    row = page.locator(f"#failure-{fingerprint(deck, jobs[0])}")
    await expect(row).to_contain_text("sleep_failed in sleep.sleep-0")
    await expect(row.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"Since .*, in parts of 6 hours: 2 in all, at most 2 \(.*\), 2 in the latest part\.")
    )
    cells = dict(zip(await page.locator("thead th").all_inner_texts(), await row.locator("td").all(), strict=True))
    for name, text in {"Failures": "2", "First": "just now", "Last": "just now", "Type": "sleep"}.items():
        await expect(cells[name]).to_contain_text(re.compile(rf"{text}|\d+s ago"))
    link = row.get_by_role("link", name="2 jobs are failed now")
    address = await link.get_attribute("href")
    other = deck.project()
    fail(deck, other)
    await page.goto("/failures?since=1d")
    for name in (project, other):
        await expect(row.locator('[data-label="Project"]')).to_contain_text(name)
    assert (
        address
        == f"/jobs?project={project}&error={fingerprint(deck, jobs[0])}&state=failed&ended_since=7d&sort=-ended_at"
    )


async def test_filters_are_in_the_address(page: Page, deck: Deck, project: str) -> None:
    fail(deck, project)
    fail(deck, project, step=1)
    rows = page.locator("tbody tr")
    await page.goto(f"/failures?project={project}")
    await expect(rows).to_have_count(2)
    await page.keyboard.press("/")
    await page.keyboard.type("sleep-1")
    await expect(rows).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"q=sleep-1"))
    await page.get_by_role("link", name="1 d", exact=True).click()
    await expect(page).to_have_url(re.compile(r"since=1d"))
    assert "q=sleep-1" in page.url
    await expect(rows).to_have_count(1)
    await page.get_by_role("link", name="Remove the filter Text sleep-1").click()
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="All types").click()
    await expect(page.get_by_role("menuitem")).to_have_text(["All types", "sleep"])  # the types of which jobs failed
    await page.get_by_role("menuitem", name="sleep").click()
    await expect(page).to_have_url(re.compile(r"type=sleep"))
    await page.goto(f"/failures?project={project}&type=noop")
    await expect(page.get_by_role("heading", name="No failures match")).to_be_visible()
    await page.get_by_role("link", name="Clear the filters").click()
    await expect(rows).to_have_count(2)
    await page.get_by_role("link", name="Most first").click()
    await expect(page).to_have_url(re.compile(r"sort=-count"))


async def test_new_failures_show_up_by_themselves(page: Page, deck: Deck, project: str) -> None:
    await page.goto(f"/failures?project={project}")
    await expect(page.get_by_role("heading", name="Nothing has failed in this range")).to_be_visible()
    fail(deck, project)
    await expect(page.get_by_text("1 failure of 1 kind")).to_be_visible(timeout=10_000)


async def test_a_group_is_retried_with_the_keyboard(page: Page, deck: Deck, project: str) -> None:
    jobs = fail(deck, project, 3)
    await page.goto(f"/failures?project={project}")
    await page.get_by_role("link", name="Step 'sleep-0' was asked to fail").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="sleep_failed")).to_be_visible()
    await expect(page.get_by_text("3 jobs are failed by this now.")).to_be_visible()
    await page.get_by_role("button", name="Retry all of them…").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Retry 3 jobs?")).to_be_visible()
    with deck.client() as client:
        assert {client.jobs.get(job).state for job in jobs} == {"failed"}  # so far it is a plan
    await expect(page.get_by_role("button", name="Retry 3 jobs")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("3 of 3 jobs resumed.")).to_be_visible(timeout=15_000)
    with deck.client() as client:
        assert {client.jobs.wait(job, 30).state for job in jobs} == {"succeeded"}
    states = page.locator("#failure .state-succeeded")
    await expect(states).to_have_count(3, timeout=15_000)
    await expect(page.locator("#failure dd").nth(1)).to_have_text("none")
    await expect(page.locator("#failure dd").first).to_have_text("3")  # they did fail


async def test_jobs_that_fail_again_can_be_retried_again(page: Page, deck: Deck, project: str) -> None:
    (job,) = fail(deck, project, times=2)
    await page.goto(f"/failures/{fingerprint(deck, job)}?project={project}")
    await page.get_by_role("button", name="Retry it…").click()
    await page.get_by_role("button", name="Leave them").click()
    await page.get_by_role("button", name="Retry it…").click()
    await page.get_by_role("button", name="Retry 1 job").click()
    await expect(page.get_by_text("1 job is failed by this again.")).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("button", name="Retry it…")).to_be_visible()


async def test_one_who_only_looks_is_offered_nothing(open_page: OpenPage, deck: Deck, project: str) -> None:
    (job,) = fail(deck, project)
    page = await open_page(token=deck.token(f"viewer-{project}", "viewer", project))
    await page.goto("/failures")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    await page.goto(f"/failures/{fingerprint(deck, job)}")
    await expect(page.get_by_text("1 job is failed by this now.")).to_be_visible()
    await expect(page.get_by_role("button", name="Retry")).to_have_count(0)


async def test_everyone_can_use_it(open_page: OpenPage, deck: Deck, project: str, axe: Axe) -> None:
    (job,) = fail(deck, project)
    page = await open_page(width=1440)
    for path in (f"/failures?project={project}", f"/failures/{fingerprint(deck, job)}?project={project}"):
        await page.goto(path)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        await axe(page)
    await page.get_by_text("As numbers, in parts of 6 hours").click()
    await page.get_by_role("button", name="Retry it…").click()
    await expect(page.get_by_role("button", name="Retry 1 job")).to_be_visible()
    await axe(page)
    await page.goto(f"/failures?project={deck.project()}")
    await axe(page)


def test_a_trend_in_bars_and_in_words() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    drawn = chart(Trend(since=since, bucket_seconds=3600, counts=[0, 4, 1]), 300, 100)
    assert [(bar.height, bar.count) for bar in drawn.bars] == [("0.00", 0), ("100.00", 4), ("25.00", 1)]
    assert [bar.at.hour for bar in drawn.busy] == [1, 2]
    assert (drawn.most, drawn.part) == (4, "1 hour")
    assert drawn.text == (
        "Since 2026-11-20 00:00 UTC, in parts of 1 hour: 5 in all, "
        "at most 4 (2026-11-20 01:00 UTC), 1 in the latest part."
    )
    tall = Trend(since=since, bucket_seconds=60, counts=[1, 10_000])
    assert float(chart(tall, 10, 10).bars[0].height) == 2  # what is there is seen
    assert words(Trend(since=since, bucket_seconds=60)) == "Since 2026-11-20 00:00 UTC: none."
    assert [length(s) for s in (60, 1800, 21_600, 86_400, 7 * 86_400, 7)] == [
        "1 minute", "30 minutes", "6 hours", "1 day", "7 days", "7 seconds",
    ]  # fmt: skip


async def test_a_retry_keeps_to_the_range_and_the_type_that_are_shown(page: Page, deck: Deck, project: str) -> None:
    """Five clicks from any page."""
    late = fail(deck, project, 2)
    early = fail(deck, project)
    kind = fingerprint(deck, late[0])
    day = datetime.now(UTC).astimezone().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=12)
    with sqlite3.connect(deck.home / "jobdeck.db", timeout=30) as database:
        for table, name in (("jobs SET ended_at", "id"), ("failures SET at", "job_id")):
            for job in late:
                database.execute(f"UPDATE {table} = ? WHERE {name} = ?", (int(day.timestamp() * 1e6), job))
    await page.goto(f"/jobs?project={project}")
    await page.get_by_role("link", name="Failures", exact=True).click()
    await page.get_by_role("link", name="Yesterday").click()
    await expect(page.get_by_text(f"2 failures of 1 kind in {project}.")).to_be_visible()
    await page.locator(f"#failure-{kind}").get_by_role("link", name="sleep", exact=True).click()
    await expect(page).to_have_url(re.compile("type=sleep"))
    await page.get_by_role("button", name="Retry the jobs that are failed by sleep_failed").click()
    await expect(page.get_by_role("heading", name="Retry 2 jobs?")).to_be_visible()
    await page.get_by_role("button", name="Retry 2 jobs").click()
    await expect(page.get_by_text("2 of 2 jobs resumed.")).to_be_visible(timeout=15_000)
    await expect(page.get_by_text("1 more is failed by it outside of the range and type")).to_be_visible()
    with deck.client() as client:
        assert {client.jobs.wait(job, 30).state for job in late} == {"succeeded"}
        assert client.jobs.get(early[0]).state == "failed"


async def test_a_kind_of_long_ago_has_its_page(page: Page, deck: Deck, project: str) -> None:
    (job,) = fail(deck, project)
    long_ago = int((datetime.now(UTC) - timedelta(days=40)).timestamp() * 1e6)
    with sqlite3.connect(deck.home / "jobdeck.db", timeout=30) as database:
        database.execute("UPDATE failures SET at = ? WHERE job_id = ?", (long_ago, job))
        database.execute("UPDATE jobs SET ended_at = ? WHERE id = ?", (long_ago, job))
    await page.goto(f"/failures/{fingerprint(deck, job)}?project={project}")
    await expect(page.get_by_text("Nothing of this kind in the chosen range; all time is shown.")).to_be_visible()
    await expect(page.get_by_text("1 job is failed by this now.")).to_be_visible()
    await page.get_by_role("button", name="Retry it…").click()
    await page.get_by_role("button", name="Retry 1 job").click()
    await expect(page.get_by_text("1 of 1 job resumed.")).to_be_visible(timeout=15_000)
