"""The same key with the same request does nothing twice."""

from __future__ import annotations

import asyncio

from tests.api.harness import Api, is_problem


async def test_a_repeated_request_answers_with_the_first_job(api: Api) -> None:
    headers = {"Idempotency-Key": "a key: 1/2"}
    first = await api.post("projects/default/jobs", {"type": "noop", "params": {}}, 202, headers=headers)
    again = await api.post("projects/default/jobs", {"params": {}, "type": "noop", "priority": 5}, 202, headers=headers)
    assert again["id"] == first["id"]
    response = await api.raw("POST", "projects/default/jobs", json={"type": "noop", "priority": 6}, headers=headers)
    is_problem(response, 409, "conflict", "Idempotency-Key")
    assert len((await api.get("jobs"))["items"]) == 1


async def test_a_batch_is_repeated_whole(api: Api) -> None:
    body = {"jobs": [{"type": "noop"}, {"type": "sleep", "params": {"seconds": 3}}]}
    headers = {"Idempotency-Key": "batch"}
    first = await api.post("projects/default/jobs/batch", body, 202, headers=headers)
    again = await api.post("projects/default/jobs/batch", body, 202, headers=headers)
    assert [j["id"] for j in again["items"]] == [j["id"] for j in first["items"]]
    assert [j["type"] for j in first["items"]] == ["noop", "sleep"]


async def test_a_batch_with_one_bad_job_makes_none(api: Api) -> None:
    body = {"jobs": [{"type": "noop"}, {"type": "sleep", "params": {"seconds": -3}}]}
    response = await api.raw("POST", "projects/default/jobs/batch", json=body)
    is_problem(response, 422, field="jobs[1].params.seconds")
    assert (await api.get("jobs"))["items"] == []


async def test_many_at_once_make_one(api: Api) -> None:
    headers = {"Idempotency-Key": "race"}
    body = {"type": "noop"}
    answers = await asyncio.gather(*(api.post("projects/default/jobs", body, 202, headers=headers) for _ in range(8)))
    assert len({job["id"] for job in answers}) == 1


async def test_keys_belong_to_whoever_sends_them(api: Api) -> None:
    await api.token("ci", "operator")
    headers = {"Idempotency-Key": "mine"}
    mine = await api.post("projects/default/jobs", {"type": "noop"}, 202, headers=headers)
    theirs = await api.post("projects/default/jobs", {"type": "noop"}, 202, headers=headers, token="ci")
    assert mine["id"] != theirs["id"]


async def test_a_key_has_bounds(small: Api) -> None:
    for key in ("x" * 201, "", "a\tb", "ä"):
        headers = {"Idempotency-Key": key.encode("latin-1")}
        response = await small.raw("POST", "projects/default/jobs", json={"type": "noop"}, headers=headers)
        is_problem(response, 422, field="idempotency-key")


async def test_deduplication_finds_the_unfinished_job(api: Api) -> None:
    first = await api.submit("sleep", {"seconds": 9}, deduplicate=True)
    assert (await api.submit("sleep", {"seconds": 9}, deduplicate=True))["id"] == first["id"]
    assert (await api.submit("sleep", {"seconds": 9}))["id"] != first["id"]
    await api.post(f"jobs/{first['id']}/cancel", status=202)
    assert (await api.submit("sleep", {"seconds": 9}, deduplicate=True))["id"] != first["id"]
