"""Every way to be refused: a problem document that names the field, and nothing changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobdeck.store.sql.database import Database
from tests.api.harness import V1, Api, is_problem

JOBS = f"{V1}/projects/default/jobs"
JSON = {"Content-Type": "application/json"}


BAD_JOBS: list[tuple[Any, str | None]] = [
    ({}, "type"),
    ({"type": "slep"}, "type"),
    ({"type": "sleep", "parms": {}}, "parms"),
    ({"type": "sleep", "params": {"secs": 1}}, "params.secs"),
    ({"type": "sleep", "params": {"seconds": -1}}, "params.seconds"),
    ({"type": "sleep", "params": {"seconds": "long"}}, "params.seconds"),
    ({"type": "sleep", "params": {"seconds": 10**400}}, "params.seconds"),
    ({"type": "sleep", "params": {"steps": 10**400}}, "params.steps"),
    ({"type": "sleep", "params": [1]}, "params"),
    ({"type": "sleep", "params": {"write": "nowhere"}}, "params.write"),
    ({"type": "import", "params": {"files": [1], "into": "lake/a/b"}}, "params.files[0]"),
    ({"type": "sleep", "priority": 10}, "priority"),
    ({"type": "sleep", "priority": 2.5}, "priority"),
    ({"type": "sleep", "tags": ["a"] * 21}, "tags"),
    ({"type": "sleep", "tags": ["a\0b"]}, "tags[0]"),
    ({"type": "sleep", "tags": ["\ud800"]}, "tags[0]"),
    ({"type": "sleep\0"}, "type"),
    ({"type": "sleep", "description": "a\0"}, "description"),
    ({"type": "sleep", "description": "\udfff"}, "description"),
    ({"type": "sleep", "parent": 2**63}, "parent"),
    ({"type": "sleep", "parent": 999}, "parent"),
    ({"type": "sleep", "configuration": 999}, "configuration"),
    ({"type": "sleep", "not_before": "soon"}, "not_before"),
    ({"type": "sleep", "not_before": "2026-01-01T00:00:00"}, "not_before"),
    ({"type": "sleep", "on_child_failure": "shrug"}, "on_child_failure"),
    ({"type": "noop", "params": {"\ud800": 1}}, None),
    ({"type": "import", "params": {"files": ["\ud800"], "into": "lake/a/b"}}, None),
    ([], "body"),
    ("sleep", "body"),
    (None, "body"),
]


async def test_a_bad_job_names_the_field(small: Api) -> None:
    for body, field in BAD_JOBS:
        response = await small.raw("POST", JOBS, content=json.dumps(body), headers=JSON)
        found = is_problem(response, 422)
        if field is not None:
            assert found["field"] == field, f"{body}: {found}"
    assert (await small.get("jobs"))["items"] == []


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe", b'{"type": "sleep",}', b'{"type": NaN', b"[" * 100_000, b"1" * 5000]
)
async def test_what_is_not_json_is_said_to_be_so(small: Api, content: bytes) -> None:
    response = await small.raw("POST", JOBS, content=content, headers=JSON)
    assert response.status_code in (400, 422)
    is_problem(response, response.status_code)


@pytest.mark.parametrize("depth", [70, 500, 900])
async def test_deep_parameters_are_refused(small: Api, depth: int) -> None:
    content = '{"type": "noop", "params": {"a": ' + "[" * depth + "]" * depth + "}}"
    response = await small.raw("POST", JOBS, content=content, headers=JSON)
    assert response.status_code in (400, 422)
    is_problem(response, response.status_code)


async def test_nan_is_refused(small: Api) -> None:
    is_problem(
        await small.raw("POST", JOBS, content=b'{"type": "sleep", "params": {"seconds": NaN}}', headers=JSON), 422
    )


async def test_a_large_body_is_refused_by_its_length_and_by_its_bytes(small: Api) -> None:
    body = b'{"type": "noop", "params": {"x": "' + b"y" * 1024 * 1024 + b'"}}'
    is_problem(await small.raw("POST", JOBS, content=body, headers=JSON), 413, "too_large", "body")

    async def unannounced() -> Any:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    is_problem(await small.raw("POST", JOBS, content=unannounced(), headers=JSON), 413, "too_large", "body")
    much = {"type": "sleep", "params": {"write": "lake/a/b"}, "tags": []}
    huge = json.dumps({**much, "params": {"write": "x" * 300_000}})
    is_problem(await small.raw("POST", JOBS, content=huge, headers=JSON), 413, "too_large", "params")


async def test_a_batch_may_be_larger_and_has_its_bound(small: Api) -> None:
    jobs = [{"type": "sleep", "params": {"write": "lake/a/" + "b" * 900}}] * 1500
    assert len(json.dumps({"jobs": jobs})) > 1024 * 1024
    made = await small.post(f"{JOBS}/batch?fields=id", {"jobs": jobs}, 202)
    assert len(made["items"]) == 1500
    too_many = {"jobs": [{"type": "noop"}] * 10_001}
    is_problem(await small.raw("POST", f"{JOBS}/batch", json=too_many), 422, field="jobs")
    body = b'{"jobs": [' + b" " * 16 * 1024 * 1024 + b"]}"
    is_problem(await small.raw("POST", f"{JOBS}/batch", content=body, headers=JSON), 413, "too_large", "body")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
async def test_another_media_type_is_refused(small: Api, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    is_problem(await small.raw("POST", JOBS, content=b'{"type":"noop"}', headers=headers), 415, field="Content-Type")
    upload = f"{V1}/projects/default/files"
    is_problem(await small.raw("POST", upload, content=b"{}", headers=JSON), 415, field="Content-Type")


BAD_ADDRESSES: list[tuple[str, str, int, str | None]] = [
    ("GET", "jobs/0", 422, "id"),
    ("GET", "jobs/-1", 422, "id"),
    ("GET", "jobs/x", 422, "id"),
    ("GET", "jobs/1.5", 422, "id"),
    ("GET", f"jobs/{2**63}", 422, "id"),
    ("GET", "jobs/" + "9" * 5000, 422, "id"),
    ("GET", "jobs/%00", 422, "id"),
    ("GET", f"jobs/{2**63 - 1}", 404, "id"),
    ("GET", "jobs/1/steps", 404, "id"),
    ("GET", "jobs/1/logs?after=zz", 404, "id"),
    ("POST", "jobs/1/cancel", 404, "id"),
    ("DELETE", "jobs/1", 404, "id"),
    ("GET", "projects/nowhere/files", 404, "project"),
    ("GET", "projects/%00/files", 404, "project"),
    ("GET", "projects/Default/limits", 404, "project"),
    ("GET", "projects/default/files/1", 404, "id"),
    ("GET", "projects/default/files/1/content", 404, "id"),
    ("DELETE", "projects/default/files/1", 404, "id"),
    ("GET", "projects/default/objects/nonsense", 404, "ref"),
    ("GET", "projects/default/objects/lake/a/%00", 404, "ref"),
    ("GET", "projects/default/objects/lake/a/b", 404, None),
    ("GET", "projects/default/objects/lake/a/b/rows", 404, None),
    ("GET", "projects/default/objects/lake/a/b/c/d", 422, None),
    ("GET", "projects/default/objects/other/a/b", 404, None),
    ("GET", "projects/default/objects/lake/../b", 404, "ref"),
    ("DELETE", "projects/default/objects/lake/a/b", 404, None),
    ("DELETE", "projects/default/limits/type:sleep", 404, "resource"),
    ("DELETE", "projects/default/limits/%00", 422, "resource"),
    ("GET", "projects/default/configurations/7", 404, "id"),
    ("GET", "types/nothing", 404, "type"),
    ("GET", "types/%00", 404, "type"),
    ("POST", "workers/nobody/drain", 404, "id"),
    ("POST", "workers/%00/drain", 404, "id"),
    ("GET", "pauses/instance", 404, "scope"),
    ("GET", "pauses/everything", 422, "scope"),
    ("DELETE", "pauses/type:sleep", 404, "scope"),
    ("PUT", "pauses/project:nowhere", 404, "scope"),
    ("DELETE", "tokens/99", 404, "id"),
    ("GET", "events?job=99", 404, "job"),
    ("GET", "events?project=nowhere", 404, "project"),
    ("GET", "events?after=-1", 422, "after"),
    ("GET", "health?verbose=1", 422, "verbose"),
    ("GET", "projects?limt=1", 422, "limt"),
    ("GET", "nothing/here", 404, None),
    ("GET", "jobs/", 404, None),
    ("PUT", "jobs", 405, None),
    ("DELETE", "jobs", 405, None),
]


async def test_a_bad_address_is_refused(small: Api) -> None:
    for method, path, status, field in BAD_ADDRESSES:
        response = await small.raw(method, path)
        assert response.status_code == status, f"{method} {path}: {response.text}"
        found = is_problem(response, status)
        if field is not None:
            assert found["field"] == field, f"{method} {path}: {found}"


async def test_a_bad_log_cursor_is_named(small: Api) -> None:
    job = await small.submit()
    for after in ("zz", "1", ":", "x:1", "1:x", "1:" + "9" * 50):
        is_problem(await small.raw("GET", f"jobs/{job['id']}/logs?after={after}"), 422, field="after")


async def test_a_hint_helps_with_a_misspelt_parameter(small: Api) -> None:
    found = is_problem(await small.raw("GET", "jobs?stat=failed"), 422, field="stat")
    assert found["hint"] == "Did you mean 'state'?"


async def test_a_crash_shows_an_id_and_no_inside(small: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: Any) -> Any:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(small.app.state.services.jobs, "page", crash)
    response = await small.raw("GET", "jobs")
    found = is_problem(response, 500, "internal_error")
    assert found["request_id"] == response.headers["x-request-id"]
    assert "secret inside" not in response.text


async def test_a_database_that_does_not_answer_is_503(small: Api) -> None:
    broken = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    small.app.state.services.authenticator._database = broken
    response = await small.raw("GET", "jobs")
    is_problem(response, 503, "unavailable")
    assert response.headers["retry-after"]
    await broken.close()


async def test_every_answer_has_an_id_and_safe_headers(small: Api) -> None:
    for path in ("jobs", "/", "/nowhere", "health", "jobs/x"):
        headers = (await small.raw("GET", path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert len(headers["x-request-id"]) == 32
    given = await small.raw("GET", "jobs", headers={"X-Request-Id": "my-own-id-1"})
    assert given.headers["x-request-id"] == "my-own-id-1"
    bad = await small.raw("GET", "jobs", headers={"X-Request-Id": "a b"})
    assert bad.headers["x-request-id"] != "a b"


async def test_names_that_are_taken(api: Api) -> None:
    await api.post("projects", {"name": "p1"}, 201)
    assert (await api.post("projects", {"name": "p1"}, 409))["field"] == "name"
    body = {"name": "c", "type": "sleep", "params": {"seconds": 1}}
    await api.post("projects/default/configurations", body, 201)
    assert (await api.post("projects/default/configurations", body, 409))["field"] == "name"
    for name in ("", "UPPER", "a/b", "-x", "x" * 64, "ä", "a\nb"):
        assert (await api.post("projects", {"name": name}, 422))["field"] == "name"
