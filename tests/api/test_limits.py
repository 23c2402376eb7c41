"""Limits: the names that a project's resources go by, and those that all projects share."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from jobdeck.core.claims import qualify
from jobdeck.store.running import workers
from jobdeck.store.running.workers import StoredWorker
from tests.api.harness import Api, is_problem

LIMITS = "projects/default/limits"


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("project", "project:default"),
        ("project:default", "project:default"),
        ("type:import", "type:import"),
        ("type:of-another-worker", "type:of-another-worker"),
        ("children:1", "children:1"),
        ("configuration:1", "configuration:1"),
        ("configuration:1/token:4", "configuration:1/token:4"),
        ("object:lake/in.shop/orders", "object:lake/in.shop/orders"),
        ("object:lake/in.shop/%6frders", "object:lake/in.shop/orders"),
        ("licence", "licence"),
        ("licence:a b/c", "licence:a b/c"),
    ],
)
async def test_a_projects_resources_by_name(small: Api, named: str, shown: str) -> None:
    await small.submit()
    await small.post("projects/default/configurations", {"name": "c", "type": "noop"}, 201)
    other = StoredWorker("w", "w", "h", 1, 1, 1, ("of-another-worker",), "1")
    await workers.join(small.core.database, other)
    path = f"{LIMITS}/{quote(named, safe='/:')}"
    made = await small.ask("PUT", path, 200, json={"capacity": 4})
    assert made == {"resource": shown, "capacity": 4, "used": 0, "holders": []}
    assert made in (await small.get(LIMITS))["items"]
    await small.ask("DELETE", f"{LIMITS}/{quote(shown, safe='/:')}", 204)


@pytest.mark.parametrize(
    "named",
    [
        "instance",
        "project:other",
        "children:x",
        "children:1/token:2",
        "configuration:",
        "configuration:3/token:",
        "type:",
        "object:lake",
        "object:",
        " ",
        "a\tb",
    ],
)
async def test_what_no_job_of_the_project_can_claim_is_refused(small: Api, named: str) -> None:
    response = await small.raw("PUT", f"{LIMITS}/{quote(named, safe='')}", json={"capacity": 4})
    assert is_problem(response, 422, field="resource")["code"] == "invalid_input"
    assert len((await small.get(LIMITS))["items"]) == 1


async def test_limits_of_all_projects(api: Api) -> None:
    assert (await api.get("limits"))["items"] == []
    await api.post("projects", {"name": "other"}, 201)
    mine, theirs = await api.submit(), await api.submit(project="other")
    for job, project in ((mine, "default"), (theirs, "other")):
        await api.lease(job["id"], ["instance", 1, "s"], ["type:sleep", 1, "s"], [qualify(project, "project"), 1, "s"])
    holders = [mine["id"], theirs["id"]]
    assert await api.ask("PUT", "limits/type:sleep", 200, json={"capacity": 2}) == {
        "resource": "type:sleep", "capacity": 2, "used": 2, "holders": holders,
    }  # fmt: skip
    listed = await api.get("limits")
    assert [(i["resource"], i["capacity"], i["holders"]) for i in listed["items"]] == [
        ("instance", None, holders), ("type:sleep", 2, holders),
    ]  # fmt: skip
    first = await api.get("limits?limit=1")
    assert (await api.get(f"limits?cursor={first['next']}"))["items"] == listed["items"][1:]
    held = {i["resource"]: i["holders"] for i in (await api.get("projects/other/limits"))["items"]}
    assert held == {"project:other": [theirs["id"]]}
    await api.ask("DELETE", "limits/type:sleep", 204)
    is_problem(await api.raw("DELETE", "limits/type:sleep"), 404, field="resource")


async def test_a_limit_of_all_projects_holds_jobs_back(api: Api) -> None:
    await api.ask("PUT", "limits/instance", 200, json={"capacity": 0})
    job = await api.submit()
    wait = (await api.get(f"jobs/{job['id']}"))["wait"][0]
    assert (wait["reason"], wait["resource"], wait["capacity"]) == ("claim", "instance", 0)


@pytest.mark.parametrize("named", ["project", "project:default", "type:nosuch", "type:", "object:lake/a/b", "licence"])
async def test_only_what_all_projects_share_is_limited_for_all(small: Api, named: str) -> None:
    is_problem(await small.raw("PUT", f"limits/{named}", json={"capacity": 1}), 422, field="resource")


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("projects", "project"), ("Project", "project"), ("projekt", "project"), ("types:sleep", "type:sleep"),
        ("type:slep", "type:sleep"), ("type:imports", "type:import"), ("Type:noop", "type:noop"),
        ("objects:lake/a/b", "object:lake/a/b"), ("object:lak/a/b", "lake"), ("object:nosuch/a", ""),
        ("child:4", "children:4"), ("configurations:1", "configuration:1"), ("children:99", ""), ("type", ""),
        ("configuration:99", ""), ("license", "licence"), ("object", ""), ("instances", "instance"),
        ("sleep", "type:sleep"), ("slep", "type:sleep"), ("imports", "type:import"),
    ],
)  # fmt: skip
async def test_a_slip_is_refused_with_what_was_meant(small: Api, named: str, meant: str) -> None:
    await small.ask("PUT", f"{LIMITS}/licence", 200, json={"capacity": 1})
    refused = is_problem(await small.raw("PUT", f"{LIMITS}/{named}", json={"capacity": 3}), 422, field="resource")
    assert (f"Did you mean '{meant}'?" in refused["hint"]) if meant else "Did you mean" not in str(refused.get("hint"))
    assert {item["resource"] for item in (await small.get(LIMITS))["items"]} == {"licence", "project:default"}


async def test_a_name_that_looks_like_a_slip_can_be_meant(small: Api) -> None:
    made = await small.ask("PUT", f"{LIMITS}/objects", 200, json={"capacity": 3, "as_written": True})
    assert made["resource"] == "objects"
    await small.ask("PUT", f"{LIMITS}/objects", 200, json={"capacity": 4})
    refused = is_problem(await small.raw("DELETE", f"{LIMITS}/object5"), 404, field="resource")
    assert refused["hint"] == "Did you mean 'objects'?"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("limits/instanc", "instance"), ("limits/type:slep", "type:sleep"), ("pauses/type:slep", "type:sleep"),
        ("pauses/all", "instance"), ("pauses/default", "project:default"), ("pauses/projct:default", "project:default"),
        ("pauses/slep", "type:sleep"), ("pauses/sleep", "type:sleep"),
    ],
)  # fmt: skip
async def test_slips_in_what_all_share(small: Api, path: str, meant: str) -> None:
    body = {"capacity": 1} if path.startswith("limits") else {}
    refused = is_problem(await small.raw("PUT", path, json=body), 422)
    assert refused["hint"] == f"Did you mean '{meant}'?"
