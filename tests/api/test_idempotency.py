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


async def test_parameters_that_mean_the_same_are_the_same(api: Api) -> None:
    first = await api.submit("sleep", {"seconds": 5}, deduplicate=True)
    for same in ({"seconds": 5.0}, {"seconds": 5, "steps": 1}, {"steps": 1, "seconds": 5}):
        assert (await api.submit("sleep", same, deduplicate=True))["id"] == first["id"]
    assert (await api.submit("sleep", {"seconds": 6}, deduplicate=True))["id"] != first["id"]


async def test_deduplication_finds_the_unfinished_job(api: Api) -> None:
    first = await api.submit("sleep", {"seconds": 9}, deduplicate=True)
    assert (await api.submit("sleep", {"seconds": 9}, deduplicate=True))["id"] == first["id"]
    assert (await api.submit("sleep", {"seconds": 9}))["id"] != first["id"]
    await api.post(f"jobs/{first['id']}/cancel", status=202)
    assert (await api.submit("sleep", {"seconds": 9}, deduplicate=True))["id"] != first["id"]


async def test_a_token_is_made_once_and_shown_once(api: Api) -> None:
    headers, body = {"Idempotency-Key": "t"}, {"name": "ci", "role": "viewer"}
    made = await api.post("tokens", body, 201, headers=headers)
    assert made["created_by"] == "admin"
    again = is_problem(await api.raw("POST", "tokens", json=body, headers=headers), 409, "conflict", "Idempotency-Key")
    assert again["token"] == made["id"]
    assert made["token"] not in str(again)
    other = await api.raw("POST", "tokens", json={**body, "role": "admin"}, headers=headers)
    is_problem(other, 409, field="Idempotency-Key")
    assert len((await api.get("tokens"))["items"]) == 2


async def test_of_tokens_asked_for_at_once_one_is_made(api: Api) -> None:
    headers, body = {"Idempotency-Key": "race"}, {"name": "ci", "role": "viewer"}
    answers = await asyncio.gather(*(api.raw("POST", "tokens", json=body, headers=headers) for _ in range(6)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409, 409, 409]
    assert len((await api.get("tokens"))["items"]) == 2


async def test_of_equal_uploads_at_once_one_is_kept(api: Api) -> None:
    headers = {"Idempotency-Key": "race"}
    uploads = (
        api.raw("POST", "projects/default/files", files={"file": ("f", b"x")}, headers=headers) for _ in range(6)
    )
    answers = await asyncio.gather(*uploads)
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1


async def test_a_batch_answers_with_what_was_asked_for(api: Api) -> None:
    body = {"jobs": [{"type": "noop"}, {"type": "sleep", "params": {"seconds": 3}}]}
    headers = {"Idempotency-Key": "batch"}
    ids = [j["id"] for j in (await api.post("projects/default/jobs/batch", body, 202, headers=headers))["items"]]
    bare = await api.post("projects/default/jobs/batch?fields=id", body, 202, headers=headers)
    assert bare == {"items": [{"id": i} for i in ids], "next": None}
    some = await api.post("projects/default/jobs/batch?fields=state,type", body, 202, headers=headers)
    assert some["items"][1] == {"id": ids[1], "state": "pending", "type": "sleep"}
    bad = await api.raw("POST", "projects/default/jobs/batch?fields=colour", json=body)
    is_problem(bad, 422, field="fields")
    assert len((await api.get("jobs"))["items"]) == 2
