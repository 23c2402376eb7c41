"""Saved views: everybody's own are theirs alone; shared ones are kept by those who may operate the project's jobs."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.store.jobs import saved_views
from tests.api.harness import Api, is_problem


@pytest.fixture
async def house(api: Api) -> Api:
    await api.post("projects", {"name": "other"}, 201)
    for name, role, project in (
        ("ann", "viewer", "default"), ("ben", "operator", "default"), ("eve", "operator", "other"),
    ):  # fmt: skip
        await api.token(name, role, project)
    return api


async def save(api: Api, token: str, status: int = 201, **view: Any) -> Any:
    return await api.post("views", {"name": "v", **view}, status, token=token)


async def names(api: Api, token: str, query: str = "") -> list[str]:
    return [v["name"] for v in (await api.get(f"views{query}", token=token))["items"]]


async def test_ones_own_views_are_ones_own(house: Api) -> None:
    view = await save(house, "ann", query="?state=failed&since=1d", columns=["id", "state", "id"], density="compact")
    assert {k: view[k] for k in ("name", "query", "columns", "density", "project", "shared", "mine", "editable")} == {
        "name": "v", "query": "state=failed&since=1d", "columns": ["id", "state"], "density": "compact",
        "project": None, "shared": False, "mine": True, "editable": True,
    }  # fmt: skip
    assert view["created_by"] == "ann"
    path = f"views/{view['id']}"
    assert await house.get(path, token="ann") == view
    assert await names(house, "ann") == ["v"]
    for stranger in ("ben", "admin"):
        assert await names(house, stranger) == []
        for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
            is_problem(await house.raw(method, path, json=body, token=stranger), 404, "not_found")
    is_problem(await house.raw("POST", "views", json={"name": "v"}, token="ann"), 409, "conflict", "name")
    await save(house, "ben")
    changed = await house.ask("PUT", path, 200, json={"name": "w"}, token="ann")
    assert (changed["name"], changed["query"], changed["columns"], changed["density"]) == ("w", "", None, None)
    assert changed["updated_at"] >= view["updated_at"]
    await house.ask("DELETE", path, 204, token="ann")
    is_problem(await house.raw("DELETE", path, token="ann"), 404)


async def test_shared_views_are_for_all_in_the_project(house: Api) -> None:
    is_problem(
        await house.raw("POST", "views", json={"name": "v", "project": "default"}, token="ann"), 403, "forbidden"
    )
    is_problem(await house.raw("POST", "views", json={"name": "v", "project": "other"}, token="ben"), 404)
    shared = await save(house, "ben", name="team", project="default")
    own = await save(house, "ben", name="team")
    assert (shared["project"], shared["shared"], own["shared"]) == ("default", True, False)
    seen = (await house.get("views", token="ann"))["items"]
    assert [(v["name"], v["mine"], v["editable"], v["created_by"]) for v in seen] == [("team", False, False, "ben")]
    assert await names(house, "eve") == []
    assert await names(house, "admin") == ["team"]
    assert await names(house, "admin", "?project=other") == []
    assert await names(house, "ben", "?project=default") == ["team", "team"]
    is_problem(await house.raw("GET", "views?project=other", token="ben"), 404, field="project")
    path = f"views/{shared['id']}"
    is_problem(await house.raw("PUT", path, json={"name": "x", "project": "default"}, token="ann"), 403)
    is_problem(await house.raw("DELETE", path, token="ann"), 403)
    is_problem(await house.raw("PUT", path, json={"name": "x"}, token="admin"), 409, field="project")
    await house.ask("PUT", path, 200, json={"name": "renamed", "project": "default"}, token="admin")
    is_problem(await house.raw("PUT", path, json={"name": "team"}, token="ben"), 409, field="name")
    mine = await house.ask("PUT", path, 200, json={"name": "mine"}, token="ben")
    assert (mine["project"], await names(house, "ann")) == (None, [])
    again = await house.ask("PUT", path, 200, json={"name": "mine", "project": "default"}, token="ben")
    assert again["shared"] is True
    await house.ask("DELETE", path, 204, token="admin")


async def test_pages_and_bounds(small: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await save(small, "admin", name=f"v{number}")
    first = await small.get("views?limit=2")
    rest = await small.get(f"views?limit=2&cursor={first['next']}")
    assert [v["name"] for v in (*first["items"], *rest["items"])] == ["v0", "v1", "v2"]
    bad: list[tuple[dict[str, Any], str]] = [
        ({"query": "a b"}, "query"), ({"query": "a#b"}, "query"), ({"query": "x" * 4001}, "query"),
        ({"columns": []}, "columns"), ({"columns": ["A b"]}, "columns"), ({"density": "huge"}, "density"),
    ]  # fmt: skip
    for body, field in bad:
        problem = is_problem(await small.raw("POST", "views", json={"name": "n", **body}), 422)
        assert problem["field"].startswith(field)
    monkeypatch.setattr(saved_views, "MOST", 3)
    is_problem(await small.raw("POST", "views", json={"name": "n"}), 409)
