"""Who acts is a principal of its own: a token's label takes nobody's views, keys, jobs or name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Api, is_problem

LIKE_ADMIN = (
    "admin", "Admin", "ADMIN", "аdmin", "αdmin", "admın", "adm1n", "ADMlN", "ａｄｍｉｎ", "𝐚𝐝𝐦𝐢𝐧", "admín", "ad-min",
    "admin.", "ad min", "\U0001d4d0dmin", "ᴀᴅᴍɪɴ",
)  # fmt: skip
LIKE_JOBDECK = ("jobdeck", "JobDeck", "jоbdeck", "j0bdeck", "јobdeck", "jobdecк", "job_deck", "ｊobdeck")
LIKE_ALICE = ("Alice", "ALICE", "aIice", "a1ice", "álice", "аliсe", "ａlice", " alice ", "𝓪𝓵𝓲𝓬𝓮")
UNSEEN = ("admin\u200b", "al\u200dice", "x\u202ey", "\x1b[31mred", "x\u2066y", "a\u00adb", "\u3164",
          "x\u115fy", "\u2800", "a\ufe0fb")  # fmt: skip


@pytest.fixture
async def house(api: Api) -> Api:
    for project in ("alpha", "beta"):
        await api.post("projects", {"name": project}, 201)
    await api.token("alice", "operator", "alpha")
    await api.token("boss", "admin", "beta")
    return api


async def ask_token(api: Api, name: str, by: str = "boss", status: int = 201, **more: Any) -> Any:
    body = {"name": name, "role": "operator", "project": "beta", **more}
    return await api.ask("POST", "tokens", status, json=body, token=by)


async def test_a_label_of_another_project_takes_nothing(house: Api) -> None:
    view = await house.post("views", {"name": "v", "query": "q=PRIVATE"}, 201, token="alice")
    key = {"Idempotency-Key": "k"}
    await house.ask("POST", "projects/alpha/jobs", 202, json={"type": "noop"}, headers=key, token="alice")
    twin = (await ask_token(house, "alice"))["token"]
    me = await house.get("me", token=twin)
    assert me["name"] == "beta/alice"
    assert me["id"] != (await house.get("me", token="alice"))["id"]
    assert (await house.get("views", token=twin))["items"] == []
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        is_problem(await house.raw(method, f"views/{view['id']}", json=body, token=twin), 404)
    job = await house.ask("POST", "projects/beta/jobs", 202, json={"type": "sleep"}, headers=key, token=twin)
    assert job["created_by"] == "beta/alice"
    events = (await house.get(f"jobs/{job['id']}/events"))["items"]
    assert {(e["actor"], e["principal"], e["token"]) for e in events} == {("beta/alice", me["id"], me["token"])}
    mine = await house.get("jobs?created_by=alice")
    assert [j["project"] for j in mine["items"]] == ["alpha"]
    assert (await house.get(f"views/{view['id']}", token="alice"))["query"] == "q=PRIVATE"


async def test_a_project_does_not_learn_the_names_of_others(house: Api) -> None:
    """The same name is free or taken whatever other projects have."""
    free = await ask_token(house, "alice")
    assert free["name"] == "alice"
    is_problem(await house.raw("POST", "tokens", json={"name": "Alice", "role": "viewer", "project": "beta"},
                               token="boss"), 409, "name_taken", "name")  # fmt: skip


async def test_the_systems_own_names_are_reserved(small: Api) -> None:
    await small.post("projects", {"name": "beta"}, 201)
    await small.token("boss", "admin", "beta")
    for name in (*LIKE_ADMIN, *LIKE_JOBDECK):
        for by in ("boss", "admin"):
            body = {"name": name, "role": "viewer", "project": "beta"}
            refused = await small.raw("POST", "tokens", json=body, token=by)
            assert refused.status_code in (409, 422), (name, refused.text)
            assert refused.json()["code"] in ("name_taken", "unusable_name")


async def test_a_name_that_looks_like_another_is_refused(small: Api) -> None:
    await small.token("alice", "operator", "default")
    for name in LIKE_ALICE:
        refused = await small.raw("POST", "tokens", json={"name": name, "role": "viewer"})
        assert refused.status_code in (409, 422), (name, refused.text)


async def test_what_cannot_be_seen_is_no_name(small: Api) -> None:
    for name in (*UNSEEN, "beta/alice", "...", "аdминистратор"):
        refused = await small.raw("POST", "tokens", json={"name": name, "role": "viewer"})
        is_problem(refused, 422, "unusable_name", "name")


async def test_people_may_have_their_own_names(small: Api) -> None:
    for name in ("Иван", "李小龍", "Jürgen Müller", "ci-deploy", "robot 7", "Δημήτρης", "ops@example.com"):
        made = await small.post("tokens", {"name": name, "role": "viewer"}, 201)
        assert (made["name"], made["principal"]) == (name, name)


async def test_one_more_token_for_a_principal_is_asked_for(house: Api) -> None:
    first = await ask_token(house, "robot")
    again = await ask_token(house, "robot, new", **{"for": first["principal"]})
    assert (again["name"], again["principal"], again["created_by"]) == ("robot, new", "beta/robot", "boss")
    for stranger in ("alice", "admin", "nobody"):  # whom `boss` neither is nor has made
        body = {"name": "x", "role": "viewer", "project": "beta", "for": stranger}
        is_problem(await house.raw("POST", "tokens", json=body, token="boss"), 404, "not_found", "for")
    other = await house.post("tokens", {"name": "second", "role": "viewer", "for": "alice", "project": "alpha"}, 201)
    assert (await house.get("me", token=other["token"]))["name"] == "alice"


async def test_idempotency_and_views_go_by_the_principal(house: Api) -> None:
    """Two tokens of one principal share them."""
    more = await house.post("tokens", {"name": "second", "role": "operator", "for": "alice", "project": "alpha"}, 201)
    await house.post("views", {"name": "v"}, 201, token="alice")
    assert [v["name"] for v in (await house.get("views", token=more["token"]))["items"]] == ["v"]
    key = {"Idempotency-Key": "k"}
    asked = [
        await house.ask("POST", "projects/alpha/jobs", 202, json={"type": "noop"}, headers=key, token=token)
        for token in ("alice", more["token"])
    ]
    assert asked[0]["id"] == asked[1]["id"]


async def test_another_ones_plan_is_nobodys_by_name(house: Api) -> None:
    await house.submit("noop", {}, project="alpha")
    plan = await house.post("bulk/preview", {"operation": "cancel", "filter": {"project": "alpha"}}, token="alice")
    if "id" in plan:
        refused = await house.raw("POST", f"bulk/{plan['id']}/run", json={"token": "x"}, token="boss")
        assert "alice" not in refused.text


async def test_a_bound_administrator_is_told_to_name_the_project(small: Api) -> None:
    await small.post("projects", {"name": "shop"}, 201)
    await small.token("boss", "admin", "shop")
    asked = {"name": "new", "role": "viewer"}
    refused = is_problem(await small.raw("POST", "tokens", json=asked, token="boss"), 403, "forbidden", "project")
    assert "--project shop" in refused["hint"]
    assert (await small.raw("POST", "tokens", json={**asked, "project": "shop"}, token="boss")).status_code == 201
