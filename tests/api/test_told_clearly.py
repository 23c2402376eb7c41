"""What people took for something else, or did not see: each is told as it is."""

from __future__ import annotations

import pytest

from jobdeck.services.admin import health
from tests.api.harness import V1, Api, is_problem

LIMITS = "projects/default/limits"


@pytest.fixture(autouse=True)
def health_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REMEMBERED", -1.0)


@pytest.mark.parametrize(
    ("query", "field", "meant"),
    [
        ("jobs?state=done", "state[0]", "succeeded"), ("jobs?fields=stat", "fields", "state"),
        ("jobs/counts?state=cancelled", "state[0]", "canceled"),
        ("jobs?sort=-create_at", "sort", "-created_at"), ("jobs?stat=failed", "stat", "state"),
        ("jobs/1/logs?level=warn", "level[0]", "warning"),
    ],
)  # fmt: skip
async def test_a_word_that_is_none_is_refused_with_the_one_that_was_meant(
    small: Api, query: str, field: str, meant: str
) -> None:
    await small.submit()
    refused = is_problem(await small.raw("GET", query), 422)
    assert refused["field"] == field
    assert f"id you mean '{meant}'?" in f"{refused['detail']} {refused['hint']}"


@pytest.mark.parametrize(
    ("method", "path", "body", "meant"),
    [
        ("POST", "tokens", {"name": "x", "role": "administrator"}, "admin"),
        ("POST", "bulk", {"operation": "cancle", "select": {"filter": {}}}, "cancel"),
        ("POST", "bulk", {"operation": "cancel", "select": {"filter": {"state": ["finished"]}}}, "succeeded"),
        ("POST", "projects/default/jobs", {"type": "slep", "params": {}}, "sleep"),
        (
            "POST", "projects/default/jobs",
            {"type": "import", "params": {"files": ["a"], "into": "lake/a/b", "mode": "overwrite"}}, "replace",
        ),
    ],
)  # fmt: skip
async def test_in_bodies_too(small: Api, method: str, path: str, body: dict[str, object], meant: str) -> None:
    refused = is_problem(await small.raw(method, path, json=body), 422)
    assert f"id you mean '{meant}'?" in f"{refused['detail']} {refused['hint']}"


async def test_upsert_without_a_key_names_the_parameter_and_the_option(small: Api) -> None:
    params = {"files": ["/x"], "into": "lake/a/b", "mode": "upsert"}
    body = {"type": "import", "params": params}
    refused = is_problem(await small.raw("POST", "projects/default/jobs", json=body), 422)
    assert 'key=["id"]' in refused["hint"]
    assert "--key id" in refused["hint"]


async def test_a_limit_of_a_table_that_there_is_not_is_refused_where_one_is_called_nearly_so(small: Api) -> None:
    from jobdeck.connectors.lake import catalog
    from jobdeck.services.data.environments import Environments

    environment = await Environments(small.core.database, small.core.installation).of("default")
    for ref in ("lake/shop/orders", "lake/shop/part_2023"):
        catalog.create(environment, ref, [("id", "int64")])

    async def put(name: str, status: int, **more: bool) -> str:
        answer = await small.ask("PUT", f"{LIMITS}/object:{name}", status, json={"capacity": 1, **more})
        return str(answer.get("hint"))

    assert "Did you mean 'object:lake/shop/orders'?" in await put("lake/shop/order", 422)
    assert "Did you mean 'object:lake/shop/orders'?" in await put("lake/shpo/orders", 422)
    assert "Did you mean 'object:lake/shop/orders'?" in await put("lake/shop/Orders", 422)
    await put("lake/shop/order", 200, as_written=True)
    for fine in ("lake/shop/orders", "lake/shop/customers", "lake/shop/part_2024", "lake/other/rows"):
        await put(fine, 200)
    missing = is_problem(await small.raw("GET", "projects/default/objects/lake/shop/ordres"), 404)
    assert "Did you mean 'lake/shop/orders'?" in missing["hint"]


async def test_health_says_that_all_is_paused_or_nothing_may_start(api: Api) -> None:
    before = {name: part["status"] for name, part in (await api.get("health"))["parts"].items()}
    assert "jobs" not in before
    await api.ask("PUT", "pauses/instance", 200, json={"reason": "upgrade"})
    paused = await api.get("health")
    assert (paused["status"], paused["parts"]["jobs"]["status"]) == ("degraded", "paused")
    assert "upgrade" not in str(paused)  # anybody may ask
    await api.ask("DELETE", "pauses/instance", 204)
    await api.ask("PUT", "limits/instance", 200, json={"capacity": 0})
    assert (await api.get("health"))["parts"]["jobs"]["status"] == "limited_to_none"
    await api.ask("PUT", "limits/instance", 200, json={"capacity": 5})
    assert {name: part["status"] for name, part in (await api.get("health"))["parts"].items()} == before


@pytest.mark.parametrize(
    ("name", "sent", "told"),
    [
        ("a.jsonl", "application/octet-stream", "application/x-ndjson"), ("a.NDJSON", None, "application/x-ndjson"),
        ("a.csv", "application/octet-stream", "text/csv"), ("a.parquet", None, "application/vnd.apache.parquet"),
        ("a.csv.gz", "application/octet-stream", "application/gzip"), ("a.csv", "text/plain", "text/plain"),
        ("a", "application/octet-stream", "application/octet-stream"), ("a.json", None, "application/json"),
    ],
)  # fmt: skip
async def test_a_file_is_what_its_name_says_where_nobody_said_more(
    small: Api, name: str, sent: str | None, told: str
) -> None:
    file = (name, b"x", sent) if sent else (name, b"x")
    made = await small.ask("POST", f"{V1}/projects/default/files", 201, files={"file": file})
    assert (await small.get(f"projects/default/files/{made['id']}"))["content_type"] == told


@pytest.mark.parametrize(
    ("state", "has"),
    [("running", True), ("succeeded", True), ("canceled", False), ("failed", False), ("paused", False)],
)
async def test_only_what_runs_or_has_succeeded_has_a_rate(small: Api, state: str, has: bool) -> None:
    job = (await small.submit())["id"]
    await small.put_job(job, state=state, done=500, total=1000, unit="bytes", running_us=5_000_000)
    rate = (await small.get(f"jobs/{job}"))["progress"]["rate"]
    assert (rate is not None) is has


async def test_a_discarded_plan_is_not_listed(api: Api) -> None:
    body = {"operation": "cancel", "select": {"ids": await api.submit_many(2)}}
    kept, discarded = await api.post("bulk", body, 201), await api.post("bulk", body, 201)
    await api.post(f"bulk/{discarded['id']}/stop", status=202)
    assert [bulk["id"] for bulk in (await api.get("bulk"))["items"]] == [kept["id"]]
