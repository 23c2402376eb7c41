"""A failed import on its page: its file is replaced there, and resuming it loads the new content."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from jobdeck.client import Client
from tests.web.conftest import Axe, OpenPage
from tests.web.jobs.words import Desk


async def test_a_file_is_replaced_and_the_job_resumed(
    open_page: OpenPage, axe: Axe, desk: Desk, deck_client: Client, tmp_path: Path
) -> None:
    first, bad = tmp_path / "first.csv", tmp_path / "a file with a rather long name, of march.csv"
    first.write_text("id,n\n1,1\n")
    bad.write_text("id,n\n2,oops\n")
    ref = "lake/in.shop/mended"
    with_table = f"file:{deck_client.files.upload(first, project=desk.project).id}"
    desk.done("import", {"files": [with_table], "into": ref})
    file = deck_client.files.upload(bad, project=desk.project)
    job = desk.done("import", {"files": [f"file:{file.id}"], "into": ref})
    assert job.state == "failed"
    page = await open_page(width=390, height=844, theme="dark")
    await page.goto(f"/jobs/{job.id}")
    await expect(page.locator("section.job-why")).to_contain_text(f"jobdeck files replace {file.id} FILE")
    mended = tmp_path / "mended.csv"
    mended.write_text("id,n\n2,2\n3,3\n")
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Replace a file with").click()
    await (await chooser.value).set_files(mended)
    await expect(page.locator(".job-replaced")).to_have_text(
        f"file:{file.id} is mended.csv now, version 2. Resume the job to load it."
    )
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    await axe(page)
    deck_client.jobs.resume(job.id)
    assert deck_client.jobs.wait(job.id, 60).state == "succeeded"
    assert sorted(row["id"] for row in deck_client.objects.rows(ref, project=desk.project).items) == [1, 2, 3]
    await page.reload()
    await expect(page.locator(".job-replace")).to_have_count(0)
    await page.goto(desk.url())
    amounts = page.locator("#jobs-rows .c-progress")
    assert sorted([(await amount.inner_text()).strip() for amount in await amounts.all()]) == ["1 row", "2 rows"]


async def test_on_a_telephone_a_failure_leaves_room_for_the_log(
    open_page: OpenPage, axe: Axe, desk: Desk, deck_client: Client, tmp_path: Path
) -> None:
    """What follows its first sentence is shown when asked for; on a wide page all of it is there."""
    bad = tmp_path / "orders of march.csv"
    bad.write_text("id,n\n2,3\n")
    file = deck_client.files.upload(bad, project=desk.project)
    params = {"files": [f"file:{file.id}"], "into": "lake/in.shop/narrow", "mode": "upsert", "key": ["missing"]}
    job = desk.done("import", params)
    assert job.state == "failed"
    for width, is_narrow in ((390, True), (1280, False)):
        page = await open_page(width=width, height=844)
        await page.goto(f"/jobs/{job.id}/logs")
        reason = page.locator("section.job-why")
        await expect(reason).to_contain_text("No file has the key column 'missing'.")
        hint, more = reason.get_by_text("jobdeck files replace"), reason.get_by_text("Show all")
        if is_narrow:
            await expect(hint).to_be_hidden()
            box = await page.locator("section.job-why").bounding_box()
            assert box is not None
            assert box["height"] < 844 / 4
            await page.screenshot(path=tmp_path / "narrow.png")
            await axe(page)
            await more.click()
        else:
            await expect(more).to_be_hidden()
        await expect(hint).to_be_visible()


async def test_a_failed_job_gives_out_the_file_and_leads_to_what_its_hint_says(
    page: Page, desk: Desk, deck_client: Client, tmp_path: Path
) -> None:
    """Nobody can mend a file that the page does not give out; and who is in a browser is led there, not to a shell."""
    content = "id,n\n2\n"
    bad = tmp_path / "only here.csv"
    bad.write_text(content)
    file = deck_client.files.upload(bad, project=desk.project)
    job = desk.done("import", {"files": [f"file:{file.id}"], "into": "lake/in.shop/given"})
    assert job.state == "failed"
    await page.goto(f"/jobs/{job.id}/logs")
    why = page.get_by_role("region", name="Why it failed")
    await why.get_by_role("link", name="Replace a file").click()
    await expect(page.locator("#replace:target")).to_be_in_viewport()
    async with page.expect_download() as download:
        await page.locator(".job-named").get_by_role("link", name="only here.csv").click()
    path = await (await download.value).path()
    assert path.read_text() == content
    await why.get_by_role("link", name="Run again with changes").click()
    await expect(page.get_by_label("Into")).to_have_value("lake/in.shop/given")


async def test_who_may_replace_no_file_is_not_led_to_it(
    open_page: OpenPage, desk: Desk, deck_client: Client, tmp_path: Path
) -> None:
    bad = tmp_path / "b.csv"
    bad.write_text("id,n\n2\n")
    file = deck_client.files.upload(bad, project=desk.project)
    job = desk.done("import", {"files": [f"file:{file.id}"], "into": "lake/in.shop/given"})
    reader = await open_page(token=desk.deck.token(f"v{desk.project}", "viewer", desk.project))
    await reader.goto(f"/jobs/{job.id}")
    await expect(reader.get_by_role("region", name="Why it failed")).to_contain_text("is a row of 1")
    await expect(reader.get_by_role("link", name="Replace a file")).to_have_count(0)


async def test_the_warnings_of_a_job_stand_in_its_head(
    page: Page, desk: Desk, deck_client: Client, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.csv"
    odd.write_text("id,n\n1,1\n2,two\n3,3\n4,4\n")
    file = deck_client.files.upload(odd, project=desk.project)
    job = desk.done("import", {"files": [f"file:{file.id}"], "into": "lake/in.shop/odd"})
    assert (job.state, job.warnings) == ("succeeded", 1)
    (line,) = (line.text for line in deck_client.jobs.logs(job.id) if line.level == "warning")
    await page.goto(f"/jobs/{job.id}")
    await expect(page.get_by_role("region", name="It has warnings").get_by_role("listitem")).to_have_text([line])
