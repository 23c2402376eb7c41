"""The table of role × endpoint: who may do what, and what those of another project see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import V1, Api, is_problem

PROJECT = "projects/default"
OPERATOR, ADMIN, INSTANCE = "operator", "admin", "instance"
BODY = {"name": "n", "type": "noop"}

# method, path below /api/v1 (or from the root), body, the least role that may.
# `instance` is an administrator that is not bound to a project. `{job}` is a job of the project `default`.
TABLE: list[tuple[str, str, Any, str]] = [
    ("GET", "me", None, "viewer"),
    ("POST", "login-links", None, "viewer"),
    ("GET", "me/sessions", None, "viewer"),
    ("DELETE", "me/sessions", None, "viewer"),
    ("DELETE", "me/sessions/{id}", None, "viewer"),
    ("GET", "openapi.json", None, "viewer"),
    ("GET", "types", None, "viewer"),
    ("GET", "types/{type}", None, "viewer"),
    ("GET", "jobs", None, "viewer"),
    ("GET", "jobs/counts", None, "viewer"),
    ("GET", "jobs/{id}", None, "viewer"),
    ("GET", "jobs/{id}/steps", None, "viewer"),
    ("GET", "jobs/{id}/steps/{index}/tasks", None, "viewer"),
    ("GET", "jobs/{id}/timeline", None, "viewer"),
    ("GET", "jobs/{id}/diff", None, "viewer"),
    ("GET", "jobs/{id}/claims", None, "viewer"),
    ("GET", "jobs/{id}/attempts", None, "viewer"),
    ("GET", "jobs/{id}/events", None, "viewer"),
    ("GET", "jobs/{id}/logs", None, "viewer"),
    ("GET", "jobs/{id}/logs/download", None, "viewer"),
    ("GET", "jobs/{id}/lineage", None, "viewer"),
    ("GET", "jobs/{id}/rejects", None, "viewer"),
    ("GET", "events/history", None, "admin"),
    ("GET", "jobs/{id}/rejects/content", None, "viewer"),
    ("GET", "jobs/{id}/rejects/{name}/rows", None, "viewer"),
    ("GET", "jobs/{id}/rejects/{name}/content", None, "viewer"),
    ("GET", "views", None, "viewer"),
    ("POST", "views", {"name": "v"}, "viewer"),
    ("GET", "views/{id}", None, "viewer"),
    ("PUT", "views/{id}", {"name": "v"}, "viewer"),
    ("DELETE", "views/{id}", None, "viewer"),
    ("GET", "failures", None, "viewer"),
    ("GET", "failures/{fingerprint}", None, "viewer"),
    ("POST", "jobs/{id}/cancel", {}, OPERATOR),
    ("POST", "jobs/{id}/pause", {}, OPERATOR),
    ("POST", "jobs/{id}/resume", {}, OPERATOR),
    ("POST", "jobs/{id}/restart", {}, OPERATOR),
    ("POST", "jobs/{id}/run-again", {}, OPERATOR),
    ("PATCH", "jobs/{id}", {"priority": 3}, OPERATOR),
    ("POST", "bulk", {"operation": "cancel", "select": {"ids": [1]}}, OPERATOR),
    ("GET", "bulk", None, "viewer"),
    ("GET", "bulk/{id}", None, "viewer"),
    ("GET", "bulk/{id}/items", None, "viewer"),
    ("POST", "bulk/{id}/run", {"token": "x"}, OPERATOR),
    ("POST", "bulk/{id}/stop", None, OPERATOR),
    ("DELETE", "jobs/{id}", None, OPERATOR),
    ("POST", "projects/{project}/jobs", {"type": "noop"}, OPERATOR),
    ("POST", "projects/{project}/jobs/batch", {"jobs": [{"type": "noop"}]}, OPERATOR),
    ("GET", "projects/{project}/files", None, "viewer"),
    ("POST", "projects/{project}/files", "upload", OPERATOR),
    ("GET", "projects/{project}/files/{id}", None, "viewer"),
    ("GET", "projects/{project}/files/{id}/content", None, "viewer"),
    ("PUT", "projects/{project}/files/{id}", "upload", OPERATOR),
    ("DELETE", "projects/{project}/files/{id}", None, OPERATOR),
    ("GET", "projects/{project}/objects", None, "viewer"),
    ("GET", "projects/{project}/objects/{ref}", None, "viewer"),
    ("GET", "projects/{project}/objects/{ref}/rows", None, "viewer"),
    ("GET", "projects/{project}/objects/{ref}/arrow", None, "viewer"),
    ("DELETE", "projects/{project}/objects/{ref}", None, OPERATOR),
    ("GET", "projects/{project}/limits", None, "viewer"),
    ("PUT", "projects/{project}/limits/{resource}", {"capacity": 1}, ADMIN),
    ("DELETE", "projects/{project}/limits/{resource}", None, ADMIN),
    ("GET", "limits", None, "viewer-of-all"),
    ("PUT", "limits/{resource}", {"capacity": 1}, INSTANCE),
    ("DELETE", "limits/{resource}", None, INSTANCE),
    ("GET", "projects/{project}/connections", None, "viewer"),
    ("POST", "projects/{project}/connections", {"name": "c", "kind": "files"}, ADMIN),
    ("DELETE", "projects/{project}/connections/{name}", None, ADMIN),
    ("GET", "projects/{project}/connections/{name}", None, "viewer"),
    ("PATCH", "projects/{project}/connections/{name}", {}, ADMIN),
    ("POST", "projects/{project}/connections/{name}/test", None, OPERATOR),
    ("GET", "projects/{project}/configurations", None, "viewer"),
    ("POST", "projects/{project}/configurations", BODY, OPERATOR),
    ("GET", "projects/{project}/configurations/{id}", None, "viewer"),
    ("PUT", "projects/{project}/configurations/{id}", BODY, OPERATOR),
    ("DELETE", "projects/{project}/configurations/{id}", None, OPERATOR),
    ("GET", "projects", None, "viewer"),
    ("GET", "projects/{project}", None, "viewer"),
    ("POST", "projects", {"name": "made"}, INSTANCE),
    ("PATCH", "projects/{project}", {"title": "T"}, INSTANCE),
    ("GET", "tokens", None, ADMIN),
    ("POST", "tokens", {"name": "t", "role": "viewer", "project": "default"}, ADMIN),
    ("DELETE", "tokens/{id}", None, ADMIN),
    ("GET", "workers", None, "viewer"),
    ("GET", "workers/{id}", None, "viewer"),
    ("POST", "workers/{id}/drain", None, INSTANCE),
    ("POST", "workers/{id}/undrain", None, INSTANCE),
    ("GET", "pauses", None, "viewer"),
    ("GET", "pauses/{scope}", None, "viewer"),
    ("PUT", "pauses/{scope}", None, ADMIN),
    ("DELETE", "pauses/{scope}", None, ADMIN),
    ("GET", "/metrics", None, "viewer-of-all"),
]
OPEN = [("GET", "health")]
LIVE = [("GET", "events")]
"""Has no end; its permissions are tested in test_events.py."""

ROLES = ["viewer", OPERATOR, ADMIN]
INCLUDED = {"viewer": ROLES, OPERATOR: ROLES[1:], ADMIN: ROLES[2:], INSTANCE: [], "viewer-of-all": []}
INCLUDED_UNBOUND = {**INCLUDED, INSTANCE: ROLES[2:], "viewer-of-all": ROLES}


@pytest.fixture
async def peopled(small: Api) -> Api:
    """A job, a file, and a token of every role: bound to the project, bound to another one, and to none."""
    await small.post("projects", {"name": "other"}, 201)
    for role in ROLES:
        await small.token(f"{role}@default", role, "default")
        await small.token(f"{role}@other", role, "other")
        await small.token(f"{role}@all", role)
    return small


async def send(api: Api, method: str, path: str, body: Any, token: str) -> Any:
    known = {"{type}": "noop", "{project}": "default", "{ref}": "lake/a/b", "{resource}": "type:noop", "{name}": "c"}
    known |= {"{fingerprint}": "0" * 12, "{index}": "0"}
    if path.startswith("jobs/{id}"):
        known["{id}"] = str((await api.submit("noop", {}))["id"])
    for name, value in {**known, "{id}": known.get("{id}", "1"), "{scope}": "project:default"}.items():
        path = path.replace(name, value)
    if path == f"{PROJECT}/configurations/1":
        await api.raw("POST", f"{PROJECT}/configurations", json={**BODY, "name": f"for-{token}"})
    more = {"files": {"file": ("f", b"x")}} if body == "upload" else {} if body is None else {"json": body}
    return await api.raw(method, path, token=token, **more)


async def test_role_by_endpoint(peopled: Api) -> None:
    for method, path, body, least in TABLE:
        for scope, included in (("default", INCLUDED), ("all", INCLUDED_UNBOUND)):
            for role in ROLES:
                response = await send(peopled, method, path, body, f"{role}@{scope}")
                asked = f"{method} {path} by {role}@{scope}: {response.status_code} {response.text}"
                if role in included[least]:
                    assert response.status_code not in (401, 403, 500), asked
                else:
                    assert response.status_code == 403, asked
                    assert is_problem(response, 403, "forbidden")["permission"]
        is_problem(await send(peopled, method, path, body, "jd_nothing"), 401, "unauthenticated")


async def test_another_projects_token_finds_nothing(peopled: Api) -> None:
    hidden = [row for row in TABLE if "{project}" in row[1] or row[1].startswith("jobs/{id}") or "{scope}" in row[1]]
    assert len(hidden) > 30
    for method, path, body, _ in hidden:
        for role in ROLES:
            response = await send(peopled, method, path, body, f"{role}@other")
            assert response.status_code == 404, f"{method} {path} by {role}@other: {response.text}"
            is_problem(response, 404, "not_found")


async def test_lists_show_only_what_is_ones_own(peopled: Api) -> None:
    mine = await peopled.submit("noop", {}, project="other")
    await peopled.submit("noop", {})
    token = "admin@other"
    assert [j["id"] for j in (await peopled.get("jobs", token=token))["items"]] == [mine["id"]]
    assert (await peopled.get("jobs/counts", token=token))["pending"] == 1
    assert [p["name"] for p in (await peopled.get("projects", token=token))["items"]] == ["other"]
    assert {t["project"] for t in (await peopled.get("tokens", token=token))["items"]} == {"other"}
    is_problem(await peopled.raw("GET", "jobs?project=default", token=token), 404, field="project")
    parent = await peopled.submit("noop", {})
    body = {"type": "noop", "parent": parent["id"]}
    is_problem(await peopled.raw("POST", "projects/other/jobs", json=body, token=token), 422, field="parent")


async def test_a_bound_administrator_makes_no_token_beyond_its_project(peopled: Api) -> None:
    for project, status in ((None, 403), ("default", 404), ("other", 201)):
        body = {"name": "x", "role": "admin", "project": project}
        assert (await peopled.raw("POST", "tokens", json=body, token="admin@other")).status_code == status
    body = {"name": "admin", "role": "viewer", "project": "other"}
    is_problem(await peopled.raw("POST", "tokens", json=body, token="admin@other"), 409, field="name")
    is_problem(await peopled.raw("DELETE", "tokens/1", token="admin@other"), 404)


async def test_actions_say_what_this_token_may(peopled: Api) -> None:
    job = await peopled.submit("noop", {})
    seen = (await peopled.get(f"jobs/{job['id']}", token="viewer@default"))["actions"]
    assert not any(action["allowed"] for action in seen.values())
    assert all("operator" in action["why"] for action in seen.values())


async def test_the_table_names_every_endpoint(small: Api) -> None:
    described = (await small.get("openapi.json"))["paths"]
    there = {(method.upper(), path) for path, item in described.items() for method in item}
    listed = {(row[0], row[1]) for row in TABLE} | set(OPEN) | set(LIVE)
    full = {(m, p if p.startswith("/") else f"{V1}/{p}") for m, p in listed}
    assert there - full == set()
    assert full - there == {("GET", f"{V1}/openapi.json")}
