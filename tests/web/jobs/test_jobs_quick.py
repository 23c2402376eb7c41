"""Quick ranges of when jobs were created, ended or failed; filters that offer what occurs; what a worker does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from jobdeck.web.days import is_yesterday
from jobdeck.web.pages.jobs.filter import quick
from jobdeck.web.pages.jobs.filter.query import JobsAddress
from tests.web.jobs.test_jobs_filters import add
from tests.web.jobs.words import FAILING, Desk, has_query, shows

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_failed_and_yesterday_are_two_clicks(desk: Desk, page: Page) -> None:
    failed, done = desk.done("sleep", FAILING).id, desk.done().id
    await page.goto(desk.url())
    await shows(page, done, failed)
    await page.get_by_role("button", name="Created", exact=True).click()
    await page.get_by_role("menuitem", name="Failed", exact=True).click()
    await shows(page, failed)
    await has_query(page, "state=failed", "sort=-ended_at")
    ranges = page.get_by_role("navigation", name="Failed within")
    await ranges.get_by_role("link", name="1 d", exact=True).click()
    await has_query(page, "state=failed", "ended_since=1d")
    await shows(page, failed)
    await expect(ranges.get_by_role("link", name="1 d", exact=True)).to_have_attribute("aria-current", "true")
    await ranges.get_by_role("link", name="Yesterday").click()
    await shows(page)
    await expect(ranges.get_by_role("link", name="Yesterday")).to_have_attribute("aria-current", "true")
    zone = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = query_of(page.url)
    assert datetime.fromisoformat(asked["ended_until"]) == midnight
    assert datetime.fromisoformat(asked["ended_since"]) == (midnight - timedelta(days=1))
    await page.reload()
    await expect(ranges.get_by_role("link", name="Yesterday")).to_have_attribute("aria-current", "true")
    await ranges.get_by_role("link", name="All").click()
    await shows(page, failed)
    await page.get_by_role("button", name="Failed", exact=True).click()
    await page.get_by_role("menuitem", name="Created", exact=True).click()
    await expect(page.get_by_role("navigation", name="Created within")).to_be_visible()


async def test_types_that_occur_are_offered_and_others_can_be_typed(desk: Desk, page: Page) -> None:
    wanted, other = desk.done("sleep", {"seconds": 0}).id, desk.done().id
    await page.goto(desk.url())
    await shows(page, other, wanted)
    await add(page, "Type")
    form = page.get_by_role("dialog", name="Filter")
    await expect(form.get_by_role("checkbox", name="sleep")).to_be_visible()
    await form.get_by_role("textbox", name="Another type").fill("once.installed")
    await form.get_by_role("checkbox", name="sleep").check()
    await form.get_by_role("button", name="Apply").click()
    await has_query(page, "type=sleep,once.installed")
    await shows(page, wanted)
    await page.get_by_role("button", name="Type once.installed").click()
    await expect(form.get_by_role("checkbox", name="once.installed")).to_be_checked()


async def test_what_is_pasted_into_the_search_is_found(desk: Desk, page: Page) -> None:
    failed = desk.done("sleep", FAILING)
    wrote = desk.done("sleep", {"seconds": 0, "write": "lake/in.web/visits"}, tags=["nightly run"]).id
    assert failed.error is not None
    await page.goto(desk.url())
    await shows(page, wrote, failed.id)
    box = page.get_by_role("searchbox")
    for pasted, job in (
        (f"  {failed.error.message}\n", failed.id), (failed.error.code, failed.id), ("Nightly", wrote),
        ("lake/in.web/visits", wrote), (f"#{wrote}", wrote),
    ):  # fmt: skip
        await box.fill(pasted)
        await shows(page, job)


async def test_the_name_of_a_worker_leads_to_its_jobs(desk: Desk, page: Page) -> None:
    job = desk.done().id
    waits = desk.submit("noop", not_before=datetime.now(UTC) + timedelta(days=1)).id
    await page.goto(desk.url())
    await shows(page, waits, job)
    await page.goto(f"/jobs/{job}?project={desk.project}")
    name = desk.client.jobs.get(job).worker
    assert name
    await page.locator("dl").get_by_role("link", name=name, exact=True).first.click()
    await has_query(page, f"worker={name}")
    await shows(page, job)
    await add(page, "Host")
    form = page.get_by_role("dialog", name="Filter")
    await form.get_by_role("combobox", name="Host").fill("elsewhere")
    await form.get_by_role("button", name="Apply").click()
    await shows(page)


@pytest.mark.parametrize(
    ("address", "key", "is_quick"),
    [
        ({}, "created", True),
        ({"since": "1d"}, "created", True),
        ({"since": "5h"}, "created", False),
        ({"sort": "-ended_at"}, "ended", True),
        ({"sort": "-ended_at", "state": ["failed"]}, "failed", True),
        ({"state": ["failed"]}, "created", True),
        ({"started_since": "3d", "sort": "-ended_at"}, "started", True),
        ({"ended_since": "2026-11-30T00:00:00Z", "ended_until": "2026-12-01T00:00:00Z"}, "ended", True),
        ({"ended_since": "2026-11-29T00:00:00Z", "ended_until": "2026-11-30T00:00:00Z"}, "ended", False),
    ],
)
def test_what_a_range_is_about(address: dict[str, object], key: str, is_quick: bool) -> None:
    asked = JobsAddress(**address)
    assert (quick.basis(asked).key, quick.is_quick(asked, NOW)) == (key, is_quick)
    assert [link.text for link in quick.bases(asked) if link.is_current] == [quick.basis(asked).label]


def test_a_day_may_be_yesterday_somewhere() -> None:
    for zone in ("UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu"):
        end = NOW.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
        begin = end - timedelta(days=1)
        assert is_yesterday(begin.isoformat(), end.isoformat(), NOW), zone
        assert not is_yesterday((begin - timedelta(days=1)).isoformat(), begin.isoformat(), NOW), zone
    for since, until in ((None, None), ("1d", None), ("x", "y"), ("2026-11-30T00:00:00", "2026-12-01T00:00:00")):
        assert not is_yesterday(since, until, NOW)
