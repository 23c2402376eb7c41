"""Limits: the names that a project's resources go by, and those that all projects share."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from jobdeck.core.claims import qualify
from tests.api.harness import Api, is_problem

LIMITS = "projects/default/limits"


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("project", "project:default"),
        ("project:default", "project:default"),
        ("type:import", "type:import"),
        ("type:of-another-worker", "type:of-another-worker"),
        ("children:7", "children:7"),
        ("configuration:3", "configuration:3"),
        ("configuration:3/token:4", "configuration:3/token:4"),
        ("object:lake/in.shop/orders", "object:lake/in.shop/orders"),
        ("object:lake/in.shop/%6frders", "object:lake/in.shop/orders"),
        ("licence", "licence"),
        ("licence:a b/c", "licence:a b/c"),
    ],
)
async def test_a_projects_resources_by_name(small: Api, named: str, shown: str) -> None:
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
