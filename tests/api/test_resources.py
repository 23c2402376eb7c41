"""Limits, pauses, configurations, projects, tokens, workers, types, connections, objects."""

from __future__ import annotations

from jobdeck.core.claims import qualify
from jobdeck.core.refs import ObjectRef
from jobdeck.services import cursors
from jobdeck.store.sql.events import StoredEvent, read_after
from tests.api.harness import Api, is_problem


async def test_limits_show_what_is_held_and_by_whom(api: Api) -> None:
    assert (await api.get("projects/default/limits"))["items"] == [
        {"resource": "project:default", "capacity": 10, "used": 0, "holders": []}
    ]
    job = await api.submit()
    await api.lease(job["id"], [qualify("default", "project"), 1, "s"], [qualify("default", "object:lake/a/b"), 1, "x"])
    set_to = await api.ask("PUT", "projects/default/limits/object:lake/a/b", 200, json={"capacity": 3})
    assert set_to == {"resource": "object:lake/a/b", "capacity": 3, "used": 1, "holders": [job["id"]]}
    await api.ask("PUT", "projects/default/limits/project", 200, json={"capacity": 0})
    listed = {item["resource"]: item for item in (await api.get("projects/default/limits"))["items"]}
    assert listed["project:default"] == {
        "resource": "project:default",
        "capacity": 0,
        "used": 1,
        "holders": [job["id"]],
    }
    await api.ask("DELETE", "projects/default/limits/project:default", 204)
    first = await api.get("projects/default/limits?limit=1")
    assert [i["resource"] for i in first["items"]] == ["object:lake/a/b"]
    second = await api.get(f"projects/default/limits?limit=1&cursor={first['next']}")
    assert [(i["resource"], i["capacity"]) for i in second["items"]] == [("project:default", 10)]
    assert second["next"] is None
    for capacity in (-1, 2**31, "many", 1.5):
        response = await api.raw("PUT", "projects/default/limits/project", json={"capacity": capacity})
        is_problem(response, 422, field="capacity")
    events = [e.kind for e in await _events(api)]
    assert events.count("limit.set") == 2
    assert events.count("limit.cleared") == 1


async def _events(api: Api) -> list[StoredEvent]:
    async with api.core.database.read() as connection:
        return await read_after(connection, 0, 1000)


async def test_the_limit_of_another_project_is_its_own(api: Api) -> None:
    await api.post("projects", {"name": "default-2"}, 201)
    await api.ask("PUT", "projects/default-2/limits/type:sleep", 200, json={"capacity": 1})
    assert [i["resource"] for i in (await api.get("projects/default/limits"))["items"]] == ["project:default"]


async def test_pauses(api: Api) -> None:
    job = await api.submit()
    for scope in ("instance", "project:default", "type:sleep"):
        put = await api.ask("PUT", f"pauses/{scope}", 200, json={"reason": f"because {scope}"})
        assert (put["scope"], put["by"], put["reason"]) == (scope, "admin", f"because {scope}")
        assert await api.get(f"pauses/{scope}") == put
    reasons = [r["reason"] for r in (await api.get(f"jobs/{job['id']}"))["wait"]]
    assert reasons[:3] == ["paused_scope"] * 3
    assert len((await api.get("pauses"))["items"]) == 3
    await api.ask("PUT", "pauses/instance", 200)
    assert (await api.get("pauses/instance"))["reason"] is None
    for scope in ("instance", "project:default", "type:sleep"):
        await api.ask("DELETE", f"pauses/{scope}", 204)
    assert (await api.get("pauses"))["items"] == []


async def test_configurations_are_versioned_and_run(api: Api) -> None:
    body = {"name": "nightly", "type": "sleep", "params": {"seconds": 5}}
    made = await api.post("projects/default/configurations", body, 201)
    assert (made["version"], made["project"], made["created_by"]) == (1, "default", "admin")
    path = f"projects/default/configurations/{made['id']}"
    saved = await api.ask("PUT", path, 200, json={**body, "params": {"seconds": 6}})
    assert (saved["version"], saved["params"]) == (2, {"seconds": 6})
    assert await api.get(path) == saved
    assert (await api.get("projects/default/configurations"))["items"] == [saved]
    job = await api.submit("sleep", {"steps": 2}, configuration=made["id"])
    assert (job["params"], job["configuration"]) == ({"seconds": 6, "steps": 2}, made["id"])
    assert [j["id"] for j in (await api.get(f"jobs?configuration={made['id']}"))["items"]] == [job["id"]]
    await api.submit("noop", {}, configuration=made["id"], status=422)
    is_problem(await api.raw("DELETE", path), 409, "conflict")
    is_problem(await api.raw("PUT", path, json={**body, "params": {"secs": 1}}), 422, field="params.secs")
    unused = await api.post("projects/default/configurations", {**body, "name": "other"}, 201)
    await api.ask("DELETE", f"projects/default/configurations/{unused['id']}", 204)


async def test_projects(api: Api) -> None:
    made = await api.post("projects", {"name": "sales", "title": "Sales", "weight": 2.5}, 201)
    assert (made["name"], made["title"], made["weight"]) == ("sales", "Sales", 2.5)
    assert await api.get("projects/sales") == made
    page = await api.get("projects?limit=1")
    assert [p["name"] for p in page["items"]] == ["default"]
    rest = await api.get(f"projects?cursor={page['next']}")
    assert [p["name"] for p in rest["items"]] == ["sales"]


async def test_a_project_is_changed(api: Api) -> None:
    await api.post("projects", {"name": "sales", "title": "Sales"}, 201)
    assert (await api.ask("PATCH", "projects/sales", 200, json={"weight": 3}))["weight"] == 3
    changed = await api.ask("PATCH", "projects/sales", 200, json={"title": ""})
    assert (changed["title"], changed["weight"]) == ("", 3)
    await api.ask("PATCH", "projects/sales", 200, json={"weight": 3})
    told = [e for e in await _events(api) if e.kind == "project.changed"]
    assert [(e.job_id, e.data["weight"]) for e in told] == [(None, 3), (None, 3)]
    for bad in ({"weight": 0}, {"weight": -1}, {"weight": 1001}, {"name": "x"}):
        is_problem(await api.raw("PATCH", "projects/sales", json=bad), 422, field=next(iter(bad)))
    is_problem(await api.raw("PATCH", "projects/none", json={"weight": 2}), 404, field="project")


async def test_tokens_are_shown_once(api: Api) -> None:
    made = await api.post("tokens", {"name": "ci", "role": "operator", "project": "default", "expires_in_days": 3}, 201)
    assert (made["role"], made["project"]) == ("operator", "default")
    assert made["expires_at"] is not None
    me = await api.get("me", token=made["token"])
    told = {"name": "ci", "role": "operator", "project": "default", "expires_at": made["expires_at"]}
    assert me == told | {"id": me["id"], "token": made["id"]}
    listed = await api.get("tokens")
    assert [t["name"] for t in listed["items"]] == ["admin.token", "ci"]
    assert made["token"] not in str(listed)
    assert listed["items"][1]["last_used_at"] is not None
    await api.ask("DELETE", f"tokens/{made['id']}", 204)
    await api.ask("DELETE", f"tokens/{made['id']}", 204)
    assert "revoked" in (await api.get("me", 401, token=made["token"]))["detail"]


async def test_workers_and_drain(api: Api) -> None:
    job = await api.submit()
    await api.lease(job["id"])
    worker = (await api.get("workers"))["items"][0]
    assert (worker["state"], worker["running"], worker["slots"]) == ("live", [job["id"]], 1)
    assert (await api.post(f"workers/{worker['id']}/drain", status=200))["state"] == "draining"
    await api.post("projects", {"name": "other"}, 201)
    await api.token("outsider", "viewer", "other")
    assert (await api.get("workers", token="outsider"))["items"][0]["running"] == []


async def test_numbers_beyond_32_bits_are_only_not_there(api: Api) -> None:
    huge = 2**62
    for path in (f"configurations/{huge}", f"files/{huge}"):
        await api.get(f"projects/default/{path}", 404)
        await api.ask("DELETE", f"projects/default/{path}", 404)
    body = {"name": "c", "type": "noop"}
    await api.ask("PUT", f"projects/default/configurations/{huge}", 404, json=body)
    await api.ask("DELETE", f"tokens/{huge}", 404)
    await api.submit("noop", {}, configuration=huge, status=422)
    await api.submit("noop", {}, parent=huge, status=422)
    await api.get(f"jobs/{huge}/steps", 404)
    job = await api.submit("noop", {})
    await api.get(f"jobs/{job['id']}/steps?attempt={2**31 - 1}")
    await api.get(f"jobs/{job['id']}/events?after={2**63 - 1}")
    for kind, path in (("tokens", "tokens"), ("configurations", "projects/default/configurations")):
        cursor = cursors.encode(kind, 2**63 - 1)
        assert (await api.get(f"{path}?cursor={cursor}"))["items"] == []


async def test_types_carry_their_schema(small: Api) -> None:
    types = {t["name"]: t for t in (await small.get("types"))["items"]}
    assert {"sleep", "noop", "import"} <= types.keys()
    assert "command" not in types
    assert types["sleep"]["params_schema"]["properties"]["seconds"]["type"] == "number"
    assert await small.get("types/sleep") == types["sleep"]


async def test_a_type_that_is_off_says_so(small: Api) -> None:
    found = await small.submit("command", {"argv": ["true"]}, status=422)
    assert found["code"] == "job_type_disabled"


async def test_connections_begin_with_the_lake(small: Api) -> None:
    listed = (await small.get("projects/default/connections"))["items"]
    assert [(c["name"], c["kind"]) for c in listed] == [("lake", "lake")]


async def test_objects(small: Api) -> None:
    from jobdeck.connectors.lake import catalog
    from jobdeck.services.data.environments import Environments

    environment = await Environments(small.core.database, small.core.installation).of("default")
    for ref in ("lake/in.shop/orders", "lake/in.shop/rows", "lake/out/ä%2Fb"):
        catalog.create(environment, ref, [("id", "int64"), ("name", "string")])
    odd = str(ObjectRef.parse("lake/out/ä%2Fb"))
    listed = await small.get("projects/default/objects?limit=2")
    assert [o["ref"] for o in listed["items"]] == ["lake/in.shop/orders", "lake/in.shop/rows"]
    rest = await small.get(f"projects/default/objects?cursor={listed['next']}")
    assert [o["ref"] for o in rest["items"]] == [odd]
    shown = await small.get("projects/default/objects/lake/in.shop/orders")
    assert [(c["name"], c["type"]) for c in shown["columns"]] == [("id", "int64"), ("name", "string")]
    assert [v["version"] for v in shown["versions"]] == ["0"]
    assert (await small.get("projects/default/objects/lake/out/ä%252Fb"))["ref"] == odd
    assert (await small.get("projects/default/objects/lake/out/%25C3%25A4%252Fb"))["ref"] == odd
    assert (await small.get("projects/default/objects/lake/in.shop/rows"))["ref"] == "lake/in.shop/rows"
    assert (await small.get("projects/default/objects/lake/in.shop/rows/rows"))["items"] == []
    is_problem(await small.raw("GET", "projects/default/objects/lake/in.shop/orders/rows?version=7"), 404)
    job = await small.submit("sleep", {"write": "lake/in.shop/orders"})
    await small.lease(job["id"], [qualify("default", "object:lake/in.shop/orders"), 1, "x"])
    held = is_problem(await small.raw("DELETE", "projects/default/objects/lake/in.shop/orders"), 409, field="ref")
    assert held["holders"] == [job["id"]]
    await small.ask("DELETE", "projects/default/objects/lake/in.shop/rows", 204)
    await small.get("projects/default/objects/lake/in.shop/rows", 404)
