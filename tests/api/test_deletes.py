"""A delete that would take more along, or break what waits, says so to the one who asks, and waits to be told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Api, is_problem

FILES = "projects/default/files"
CONNECTIONS = "projects/default/connections"
SAVED = "projects/default/configurations"


async def upload(api: Api, name: str = "orders.csv") -> int:
    made = await api.ask("POST", FILES, 201, files={"file": (name, b"a,b\n1,2\n")})
    return int(made["id"])


async def load(api: Api, *files: str, **more: Any) -> int:
    made = await api.submit("import", {"files": list(files), "into": "lake/a/b"}, **more)
    return int(made["id"])


async def test_a_file_that_waiting_jobs_need_stays(api: Api) -> None:
    used, free = await upload(api), await upload(api)
    jobs = [await load(api, f"file:{used}") for _ in range(4)]
    ended = await load(api, f"file:{free}")
    await api.put_job(ended, state="succeeded", ended_at=1)
    refused = is_problem(await api.raw("DELETE", f"{FILES}/{used}"), 409, "in_use", "id")
    assert refused["jobs"] == jobs
    assert refused["detail"] == (
        f"The file orders.csv (file:{used}) is named by 4 jobs that have not ended "
        f"({jobs[0]}, {jobs[1]}, {jobs[2]}, …)."
    )
    assert "force=true" in refused["hint"]
    assert (await api.get(f"{FILES}/{used}"))["id"] == used
    await api.ask("DELETE", f"{FILES}/{free}", 204)
    for job in jobs[1:]:
        await api.post(f"jobs/{job}/cancel", status=202)
    refused = is_problem(await api.raw("DELETE", f"{FILES}/{used}?force=false"), 409, "in_use")
    assert refused["detail"].endswith(f"1 job that has not ended ({jobs[0]}).")
    await api.ask("DELETE", f"{FILES}/{used}?force=true", 204)
    await api.get(f"{FILES}/{used}", 404)


async def test_one_whose_number_begins_alike_is_another_file(api: Api) -> None:
    ids = [await upload(api) for _ in range(12)]
    await load(api, f"file:{ids[-1]}")
    await api.ask("DELETE", f"{FILES}/{ids[0]}", 204)
    is_problem(await api.raw("DELETE", f"{FILES}/{ids[-1]}"), 409, "in_use")


async def test_a_file_that_a_configuration_names(api: Api) -> None:
    file = await upload(api)
    body = {"name": "nightly \u202e", "type": "import", "params": {"files": [f"file:{file}"], "into": "lake/a/b"}}
    made = await api.post(SAVED, body, 201)
    refused = is_problem(await api.raw("DELETE", f"{FILES}/{file}"), 409, "in_use")
    assert (refused["jobs"], refused["configurations"]) == ([], [made["id"]])
    await api.ask("DELETE", f"{SAVED}/{made['id']}", 204)
    await api.ask("DELETE", f"{FILES}/{file}", 204)


async def test_other_projects_count_for_nothing_and_are_not_told(api: Api) -> None:
    file = await upload(api)
    await api.post("projects", {"name": "other"}, 201)
    await api.submit("noop", {}, project="other", tags=[f"file:{file}"])
    await api.submit("sleep", {"seconds": 1}, description=f"file:{file}")
    await api.ask("DELETE", f"{FILES}/{file}", 204)


@pytest.mark.parametrize("names", ["s3://b/in/x.csv", "s3://b/in"])
async def test_a_connection_by_its_address(api: Api, names: str) -> None:
    await api.post(CONNECTIONS, {"name": "bucket", "kind": "files", "options": {"url": "s3://b/in"}}, 201)
    await api.post(CONNECTIONS, {"name": "near", "kind": "files", "options": {"url": "s3://b/in2"}}, 201)
    job = await load(api, names)
    beside = await load(api, "s3://b/in2/x.csv")
    refused = is_problem(await api.raw("DELETE", f"{CONNECTIONS}/bucket"), 409, "in_use", "name")
    assert (refused["jobs"], refused["detail"]) == (
        [job], f"The connection 'bucket' is named by 1 job that has not ended ({job}).",
    )  # fmt: skip
    assert beside not in refused["jobs"]
    await api.post(f"jobs/{job}/cancel", status=202)
    await api.ask("DELETE", f"{CONNECTIONS}/bucket", 204)


async def test_a_connection_by_its_name_and_by_claims(api: Api) -> None:
    for name in ("files", "warehouse"):
        await api.post(CONNECTIONS, {"name": name, "kind": "files", "options": {"url": f"s3://{name}"}}, 201)
    (job,) = await api.submit_many(1)
    await api.put_job(job, claims='[["project:default/object:warehouse/a/b",1,"x"]]', params='{"files":["/x"]}')
    refused = is_problem(await api.raw("DELETE", f"{CONNECTIONS}/warehouse"), 409, "in_use")
    assert refused["jobs"] == [job]
    await api.ask("DELETE", f"{CONNECTIONS}/warehouse?force=true", 204)
    await api.ask("DELETE", f"{CONNECTIONS}/files", 204)
    (deep,) = await api.submit_many(1)
    await api.post(CONNECTIONS, {"name": "files", "kind": "files", "options": {"url": "s3://files"}}, 201)
    await api.put_job(deep, params='{"a":[{"b":["files/x"]}]}')
    assert is_problem(await api.raw("DELETE", f"{CONNECTIONS}/files"), 409, "in_use")["jobs"] == [deep]


async def test_a_configuration_takes_its_limits_along_and_stays_while_jobs_remember_it(api: Api) -> None:
    made = await api.post(SAVED, {"name": "c", "type": "noop"}, 201)
    other = await api.post(SAVED, {"name": "d", "type": "noop"}, 201)
    limits = [f"configuration:{made['id']}", f"configuration:{made['id']}/token:1", f"configuration:{other['id']}"]
    for name in limits:
        await api.ask("PUT", f"projects/default/limits/{name}", 200, json={"capacity": 2})
    job = (await api.post("projects/default/jobs", {"type": "noop", "configuration": made["id"]}, 202))["id"]
    refused = is_problem(await api.raw("DELETE", f"{SAVED}/{made['id']}"), 409, "conflict", "id")
    assert refused["jobs"] == [job]
    assert refused["detail"] == f"Configuration {made['id']} has jobs that were made of it: {job}."
    await api.post(f"jobs/{job}/cancel", status=202)
    await api.ask("DELETE", f"jobs/{job}", 204)
    await api.ask("DELETE", f"{SAVED}/{made['id']}", 204)
    left = {item["resource"] for item in (await api.get("projects/default/limits"))["items"]}
    assert left == {"project:default", f"configuration:{other['id']}"}


async def test_who_may_not_delete_is_not_told_who_uses_it(small: Api) -> None:
    file = await upload(small)
    await load(small, f"file:{file}")
    await small.token("eye", "viewer")
    refused = is_problem(await small.raw("DELETE", f"{FILES}/{file}", token="eye"), 403, "forbidden")
    assert "jobs" not in refused
    await small.post("projects", {"name": "other"}, 201)
    await small.token("far", "admin", "other")
    is_problem(await small.raw("DELETE", f"{FILES}/{file}?force=true", token="far"), 404)
    assert (await small.get(f"{FILES}/{file}"))["id"] == file
    is_problem(await small.raw("DELETE", f"{FILES}/{file}?force=maybe"), 422)
