"""Run something: the job types, the forms, and the whole way from a file to a finished job, through the pages alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
from playwright.async_api import Locator, Page, Route, expect

from tests.web.conftest import Axe, OpenPage
from tests.web.deck import Deck
from tests.web.watch import Watch

CSV = b"id,name,price\n1,apple,0.5\n2,pear,0.75\n3,fig,1.25\n"
LIE_FLAT = "document.querySelectorAll('.top, .run-actions').forEach((bar) => { bar.style.position = 'static' })"
"""Bars that float cover what lies below them wherever the page happens to be scrolled to; axe does not scroll."""
WAIT = 20_000
"""ms that a job may take from its submission to its end on a busy machine."""


def fruit(tmp_path: Path, name: str = "fruit.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(CSV)
    return path


async def drop(page: Page, where: Locator, name: str, content: bytes) -> None:
    """Let a file fall on an element, as from a desktop."""
    transfer = await page.evaluate_handle(
        "([name, text]) => { const t = new DataTransfer(); t.items.add(new File([text], name)); return t; }",
        [name, content.decode()],
    )
    for kind in ("dragenter", "dragover", "drop"):
        await where.dispatch_event(kind, {"dataTransfer": transfer})


async def never(_route: Route) -> None:
    """The answer that does not come."""


async def fill_required(page: Page) -> None:
    await page.get_by_label("Text required").fill("some text")
    await page.locator('[name="v:p/needed_or_none"]').fill("3")
    await page.get_by_label("Flag").select_option(label="no")
    await page.get_by_label("Needed mode").select_option("b")
    await page.get_by_text("More options").first.click()


REQUIRED = {"text": "some text", "needed_or_none": 3, "flag": False, "needed_mode": "b"}


async def submitted(page: Page, button: str = "Run") -> int:
    """Press the button; the id of the job whose page comes."""
    await page.get_by_role("button", name=button, exact=True).click()
    await page.wait_for_url(re.compile(r"/jobs/\d+"))
    return int(page.url.partition("/jobs/")[2].partition("?")[0])


async def test_from_a_file_to_a_finished_job(page: Page, deck: Deck, tmp_path: Path) -> None:
    project = deck.project()
    await page.goto(f"/run?project={project}")
    await page.get_by_role("link", name="import").first.click()
    await page.get_by_label("Files: upload").set_input_files(fruit(tmp_path))
    await expect(page.get_by_label("Files 1", exact=True)).to_have_value(re.compile(r"^file:\d+$"))
    await expect(page.get_by_text("fruit.csv ·")).to_be_visible()
    await drop(page, page.get_by_text("or drop them here"), "more.csv", b"id,name,price\n4,plum,2.0\n")
    await expect(page.get_by_label("Files 2", exact=True)).to_have_value(re.compile(r"^file:\d+$"))
    await page.get_by_label("Into").fill("lake/in.shop/fruit")
    await page.get_by_role("button", name="Dry run").click()
    plan = page.get_by_role("complementary", name="Dry run")
    await expect(plan.get_by_text("It can run")).to_be_visible(timeout=WAIT)
    for text in ("publish", "create", "price", "object:lake/in.shop/fruit", "fruit.csv"):
        await expect(plan.get_by_text(text).first).to_be_visible()
    await expect(plan.get_by_text("The form has changed since")).to_be_hidden()
    await page.get_by_label("Mode").select_option("replace")
    await expect(plan.get_by_text("The form has changed since")).to_be_visible()
    job = await submitted(page)
    await expect(page.locator("main .state-succeeded").first).to_be_visible(timeout=WAIT)
    with deck.client() as client:
        done = client.jobs.get(job)
        rows = client.objects.rows("lake/in.shop/fruit", project=project).items
    assert (done.state, done.params["mode"], len(done.params["files"])) == ("succeeded", "replace", 2)
    assert sorted(row["name"] for row in rows) == ["apple", "fig", "pear", "plum"]


async def test_types_are_searched_and_the_last_used_come_first(page: Page, deck: Deck) -> None:
    project = deck.project()
    with deck.client() as client:
        client.jobs.submit("noop", {}, project=project)
    await page.goto(f"/run?project={project}")
    await expect(page.locator("[data-group]").first).to_contain_text("Used last")
    await expect(page.locator("[data-group]").first).to_contain_text("noop")
    await page.keyboard.press("/")
    await page.keyboard.type("files table")
    shown = page.locator("[data-type]:visible")
    await expect(shown.first).to_contain_text("import")
    await expect(page.locator('[data-type]:visible:has-text("noop")')).to_have_count(0)
    await page.get_by_label("Search the job types").fill("zzz")
    await expect(page.get_by_text("Nothing like that")).to_be_visible()
    await page.get_by_label("Search the job types").fill("sleep")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/run/sleep?*")


async def test_fields_of_one_value(rich: Page, rich_deck: Deck) -> None:
    page = rich
    await fill_required(page)
    await page.get_by_role("checkbox", name="none (Needed or none)").check()
    await page.get_by_label("Count").fill("7")
    await page.get_by_label("Share").fill("0.25")
    await page.get_by_label("On", exact=True).uncheck()
    await page.get_by_label("Tri").select_option(label="no")
    await page.get_by_label("Mode", exact=True).select_option("3")
    await page.get_by_label("Into").fill("lake/a/b")
    picker = page.get_by_label("At: pick a date and time of yours")
    await picker.fill("2026-11-20T07:34:00")
    at = await page.get_by_label("At", exact=True).input_value()
    assert at.endswith("Z")
    await page.get_by_label("Secret").fill("hunter2")
    await page.get_by_label("Anything").fill('{"x": [1, null]}')
    await page.locator("summary", has_text="When and how").click()
    await page.get_by_label("Priority").fill("8")
    job = await submitted(page)
    with rich_deck.client() as client:
        found = client.jobs.get(job)
    assert found.priority == 8
    assert found.params == {
        **REQUIRED, "needed_or_none": None, "count": 7, "share": 0.25, "on": False, "tri": False, "mode": 3,
        "into": "lake/a/b", "at": at, "secret": "********", "anything": {"x": [1, None]},
    }  # fmt: skip


async def test_fields_of_many_values_and_of_several_shapes(rich: Page, rich_deck: Deck) -> None:
    page = rich
    await fill_required(page)
    words = page.get_by_role("group", name="Words")
    await words.get_by_role("button", name="Add to Words").click()
    await expect(words.get_by_label("Words 3", exact=True)).to_be_focused()
    await page.keyboard.type("three")
    await words.get_by_role("button", name="Move Words 3 up").click()
    await expect(words.get_by_label("Words 2", exact=True)).to_have_value("three")
    await words.get_by_role("button", name="Remove Words 1").click()
    names = page.get_by_role("group", name="Names")
    await names.get_by_role("button", name="Add to Names").click()
    await names.get_by_label("Names: name 1").fill("key")
    await names.get_by_label("Names: value 1").fill("value")
    await page.get_by_label("Shape: what it is").select_option(label="Circle")
    await page.locator('[name="v:p/shape/radius"]').fill("2.5")
    await page.get_by_label("Switch: what it is").select_option(label="text")
    await page.locator('[name="v:p/switch"]').fill("5")
    await page.locator("summary", has_text="Made").click()
    await page.locator('[name="v:p/made/second"]').fill("42")
    job = await submitted(page)
    with rich_deck.client() as client:
        found = client.jobs.get(job)
    assert found.params == {
        **REQUIRED, "words": ["three", "two"], "names": {"key": "value"}, "shape": {"kind": "circle", "radius": 2.5},
        "switch": "5", "made": {"second": 42},
    }  # fmt: skip


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(rich: Page) -> None:
    page = rich
    await page.get_by_label("Text required").fill("kept")
    await page.get_by_text("More options").first.click()
    await page.get_by_label("Count").fill("many")
    await page.get_by_label("Secret").fill("hunter2")
    await page.get_by_role("button", name="Run", exact=True).click()
    summary = page.locator("#run-summary")
    await expect(summary).to_contain_text("4 things are to be put right")
    await expect(page.locator('[name="v:p/needed_or_none"]')).to_be_focused()
    await expect(page.get_by_label("Text required")).to_have_value("kept")
    await expect(page.get_by_label("Secret")).to_have_value("hunter2")
    count = page.get_by_label("Count")
    await expect(count).to_have_value("many")
    await expect(count).to_have_accessible_description(re.compile("Write a whole number"))
    await summary.get_by_role("link", name="Count").click()
    await expect(count).to_be_focused()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("77")
    await page.locator('[name="v:p/needed_or_none"]').fill("1")
    await page.get_by_label("Flag").select_option(label="no")
    await page.get_by_label("Needed mode").select_option("b")
    await page.get_by_role("button", name="Dry run").click()
    await expect(summary).to_contain_text("One thing is to be put right")
    await expect(count).to_be_focused()
    await expect(count).to_have_accessible_description(re.compile("must be 10 or less"))


async def test_json_and_form_keep_what_was_typed(rich: Page, rich_deck: Deck) -> None:
    page = rich
    await fill_required(page)
    await page.get_by_label("Secret").fill("hunter2")
    await page.get_by_role("button", name="JSON", exact=True).click()
    area = page.get_by_label("Parameters as JSON")
    written = json.loads(await area.input_value())
    assert written == {**REQUIRED, "secret": "********"}
    await area.fill("{ broken")
    await page.get_by_role("button", name="Form", exact=True).click()
    await expect(page.locator("#f-json-error")).to_contain_text("line 1, column 3")
    await expect(area).to_have_value("{ broken")
    await area.fill(json.dumps({**written, "words": ["x"], "shapes": ["line", {"kind": "square", "side": 4}]}))
    await page.get_by_role("button", name="Form", exact=True).click()
    await expect(page.get_by_label("Words 1", exact=True)).to_have_value("x")
    await expect(page.get_by_label("Side")).to_have_value("4")
    await expect(page.get_by_label("Secret")).to_have_value("hunter2")
    job = await submitted(page)
    with rich_deck.client() as client:
        found = client.jobs.get(job).params
    assert found == {**written, "words": ["x"], "shapes": ["line", {"kind": "square", "side": 4}]}


async def test_run_again_shows_what_differs_and_keeps_secrets(rich: Page, rich_deck: Deck) -> None:
    page = rich
    params = {
        "text": "a",
        "needed_or_none": 3,
        "flag": True,
        "needed_mode": "b",
        "secret": "s3cret",
        "words": ["x", "y"],
        "maybe": "m",
    }
    with rich_deck.client() as client:
        project = page.url.partition("project=")[2]
        old = client.jobs.submit("rich", params, project=project, tags=["t"], priority=7)
    await page.goto(f"/run/rich?from={old.id}")
    await expect(page.get_by_text("it runs with the same parameters")).to_be_visible()
    await expect(page.get_by_label("Secret")).to_have_value("")
    await page.get_by_label("Text required").fill("other")
    changes = page.locator("#run-changes")
    await expect(changes).to_contain_text("changed from")
    await expect(changes.locator("ins")).to_have_text("other")
    await page.get_by_role("button", name="Remove Words 2").click()
    await expect(changes).to_contain_text("words[1]")
    await page.get_by_label("Maybe").fill("")
    await expect(changes).to_contain_text("maybe")
    job = await submitted(page, "Run again")
    with rich_deck.client() as client:
        new = client.jobs.get(job)
        differences = {change.path for change in client.jobs.diff(job).changes}
    assert (new.copied_from, new.priority, new.tags) == (old.id, 7, ["t"])
    assert new.params["words"] == ["x"]
    assert differences == {"text", "words[1]", "maybe"}


async def test_variables_of_a_program_never_reach_the_page_and_are_kept(rich: Page, rich_deck: Deck) -> None:
    page = rich
    with rich_deck.client() as client:
        project = page.url.partition("project=")[2]
        variables = {"API_TOKEN": "s3cret-t0ken", "REGION": "north-by-northwest"}
        old = client.jobs.submit("command", {"argv": ["false"], "env": variables}, project=project)
        client.jobs.wait(old.id, timeout=WAIT / 1000)
    await page.goto(f"/jobs/{old.id}/steps")
    await expect(page.locator("tbody details").get_by_text("Traceback")).to_have_count(1)
    pages = [await page.content()]
    for path in (f"/jobs/{old.id}", f"/run/command?from={old.id}"):
        await page.goto(path)
        pages.append(await page.content())
    assert "API_TOKEN" in pages[-1]
    assert not [text for text in pages for secret in variables.values() if secret in text]
    job = await submitted(page, "Run again")
    with rich_deck.client() as client:
        assert client.jobs.diff(job).same


async def test_links_may_carry_a_configuration_or_parameters(page: Page, deck: Deck) -> None:
    project = deck.project()
    saved = httpx2.post(
        f"{deck.url}/api/v1/projects/{project}/configurations",
        json={"name": "nightly", "type": "sleep", "params": {"seconds": 0.01, "steps": 2}},
        headers={"Authorization": f"Bearer {deck.admin}"},
        timeout=60,
    ).json()
    await page.goto(f"/run/sleep?project={project}&configuration={saved['id']}&params=%7B%22tasks%22%3A3%7D")
    await expect(page.get_by_label("Steps")).to_have_value("2")
    await expect(page.get_by_label("Tasks")).to_have_value("3")
    await expect(page.locator("#run-changes")).to_contain_text("tasks")
    job = await submitted(page)
    with deck.client() as client:
        found = client.jobs.get(job)
    assert (found.configuration, found.params) == (saved["id"], {"seconds": 0.01, "steps": 2, "tasks": 3})


async def test_a_mask_never_becomes_a_secret(rich: Page) -> None:
    project = rich.url.partition("project=")[2]
    await rich.goto(f"/run/rich?project={project}&params={json.dumps({**REQUIRED, 'secret': '********'})}")
    await rich.get_by_role("button", name="Run", exact=True).click()
    await expect(rich.locator("#run-summary")).to_contain_text("A secret stands as ********")
    await rich.get_by_label("Secret").fill("a new one")
    await submitted(rich)


async def test_an_upload_that_is_too_large_or_refused_says_what_to_do(
    open_page: OpenPage, rich_deck: Deck, watch: Watch, tmp_path: Path
) -> None:
    watch.allow_outage()
    page = await open_page(at=rich_deck)
    await page.goto(f"/run/import?project={rich_deck.project()}")
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * (1024 * 1024 + 1))
    await page.get_by_label("Files: upload").set_input_files(large)
    await expect(page.locator("[data-progress]")).to_contain_text("a file may have 1.0 MB. Split it")
    await page.get_by_role("button", name="Leave it: large.csv").click()
    await page.context.set_offline(True)
    await page.get_by_label("Files: upload").set_input_files(fruit(tmp_path))
    await expect(page.locator("[data-progress]")).to_contain_text("The upload was cut off.")
    await page.get_by_label("Into").fill("lake/a/b")
    await page.get_by_role("button", name="Dry run").click()
    await expect(page.get_by_text("What you wrote is kept")).to_be_visible()
    await page.context.set_offline(False)
    await page.get_by_role("button", name="Try again: fruit.csv").click()
    await expect(page.get_by_label("Files 1", exact=True)).to_have_value(re.compile(r"^file:\d+$"))
    await expect(page.get_by_label("Into")).to_have_value("lake/a/b")


async def test_an_upload_is_cancelled(page: Page, deck: Deck, tmp_path: Path) -> None:
    await page.goto(f"/run/import?project={deck.project()}")
    await page.route("**/files", never)
    await page.get_by_label("Files: upload").set_input_files([fruit(tmp_path), fruit(tmp_path, "second.csv")])
    await page.get_by_role("button", name="Cancel: second.csv").click()
    await page.get_by_role("button", name="Cancel: fruit.csv").click()
    await expect(page.locator("[data-progress] li")).to_have_count(0)
    await expect(page.locator("[data-status]").first).to_contain_text("cancelled")


async def test_files_and_objects_that_are_there_are_offered(page: Page, deck: Deck, tmp_path: Path) -> None:
    project = deck.project()
    with deck.client() as client:
        file = client.files.upload(fruit(tmp_path), project=project)
        job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/a/fruit"}, project=project)
        client.jobs.wait(job.id)
    await page.goto(f"/run/import?project={project}")
    await page.get_by_role("button", name="Files of the project").click()
    await page.get_by_role("button", name=f"fruit.csv file:{file.id}").click()
    await expect(page.get_by_label("Files 1", exact=True)).to_have_value(f"file:{file.id}")
    into = page.get_by_label("Into")
    await into.focus()
    await expect(page.locator("#run-objects option")).to_have_attribute("value", "lake/a/fruit")
    await into.fill("lake/a/fruit")
    await expect(page.get_by_text("There is one: table, 3 rows.")).to_be_visible()
    await into.fill("lake/a/other")
    await expect(page.get_by_text("There is none of this name yet.")).to_be_visible()


async def test_a_dry_run_tells_what_would_fail_and_what_it_would_wait_for(
    page: Page, deck: Deck, tmp_path: Path
) -> None:
    project = deck.project()
    with deck.client() as client:
        file = client.files.upload(fruit(tmp_path), project=project)
        holder = client.jobs.submit("sleep", {"seconds": 60, "write": "lake/a/t"}, project=project)
        next(job for job in client.jobs.watch(holder.id) if job.state == "running")
    query = json.dumps({"files": [f"file:{file.id}"], "into": "lake/a/t", "mode": "upsert", "key": ["nothing"]})
    await page.goto(f"/run/import?project={project}&params={query}")
    await page.get_by_role("button", name="Dry run").click()
    plan = page.get_by_role("complementary", name="Dry run")
    await expect(plan.get_by_text("It would fail")).to_be_visible(timeout=WAIT)
    await expect(plan.get_by_role("heading", name="It would wait")).to_be_visible()
    await expect(plan.get_by_role("link", name=str(holder.id)).first).to_be_visible()
    with deck.client() as client:
        client.jobs.cancel(holder.id)


async def test_who_may_not_submit_is_told(open_page: OpenPage, deck: Deck) -> None:
    page = await open_page(token=deck.token("onlooker", "viewer"))
    await page.goto("/run")
    await expect(page.get_by_text("your role is viewer")).to_be_visible()
    await page.goto("/run/import")
    await expect(page.get_by_role("heading", name="You may not run this")).to_be_visible()
    await expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)


async def test_a_type_that_is_off_or_unknown_is_told(page: Page, watch: Watch) -> None:
    await page.goto("/run/command")
    await expect(page.get_by_role("heading", name="Switched off here")).to_be_visible()
    watch.allow_status(404)
    await page.goto("/run/nothing")
    await expect(page.get_by_text("There is no job type 'nothing'.")).to_be_visible()


async def test_with_the_keyboard_alone(page: Page, deck: Deck) -> None:
    await page.goto(f"/run/noop?project={deck.project()}")
    await page.locator("#run-options summary").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Priority")).to_be_focused()
    await page.keyboard.type("9")
    await page.keyboard.press("Enter")
    plan = page.get_by_role("complementary", name="Dry run")
    await expect(plan.get_by_text("It can run")).to_be_visible(timeout=WAIT)
    await expect(plan).to_be_focused()
    await page.get_by_label("Priority").focus()
    await page.keyboard.press("Control+Enter")
    await page.wait_for_url(re.compile(r"/jobs/\d+"))


async def test_pressing_twice_makes_one_job(page: Page, deck: Deck) -> None:
    project = deck.project()
    await page.goto(f"/run/noop?project={project}")
    await page.get_by_role("button", name="Run", exact=True).dblclick()
    await page.wait_for_url(re.compile(r"/jobs/\d+"))
    with deck.client() as client:
        assert len(list(client.jobs.list(project=project))) == 1


async def test_without_a_project_chosen_the_form_asks_for_one(page: Page, deck: Deck) -> None:
    project = deck.project()
    await page.goto("/run/noop")
    await page.get_by_label("in project").select_option(project)
    job = await submitted(page)
    with deck.client() as client:
        assert client.jobs.get(job).project == project


async def test_forms_are_accessible_and_fit(open_page: OpenPage, rich_deck: Deck, axe: Axe) -> None:
    page = await open_page(at=rich_deck, width=1440)
    project = rich_deck.project()
    await page.goto(f"/run?project={project}")
    await axe(page)
    value = {
        "shapes": ["a", {"kind": "circle", "radius": 1}],
        "names": {"k": "v"},
        "columns": [{"first": None}],
        "tree": {"name": "t"},
    }
    await page.goto(f"/run/rich?project={project}&params={json.dumps(value)}")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator("#run-summary")).to_be_visible()
    await page.mouse.move(0, 0)
    await page.evaluate(LIE_FLAT)
    await page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true })")
    await axe(page)
    await page.goto(f"/run/sleep?project={project}")
    await page.get_by_role("button", name="Dry run").click()
    await expect(page.get_by_text("It can run")).to_be_visible(timeout=WAIT)
    await page.mouse.move(0, 0)
    await page.evaluate(LIE_FLAT)
    await axe(page)
