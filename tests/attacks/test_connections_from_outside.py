"""Whoever may make connections tries the worker's credentials, what is near the worker, and what it gets to see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.client import Client
from jobdeck.client.errors import ApiError
from tests.faults.installation import Installation, installation
from tests.storage.recorder import Answer, recorder

SECRET = "S3cretOfTheConnection"
WORKER = {
    "aws_access_key_id": "WORKERKEY", "aws_secret_access_key": "WORKERSECRET", "aws_session_token": "WORKERTOKEN",
}  # fmt: skip


@pytest.fixture
def jobdeck(home: Path, sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A server with credentials of its own in its environment; connections may reach the machine, for the tests."""
    for name, value in WORKER.items():
        monkeypatch.setenv(name.upper(), value)
    url = sqlite_database_url.replace("+aiosqlite", "")
    with installation(home, url, allowed_endpoints="127.0.0.1", log_level="debug") as made:
        yield made


def connect(client: Client, name: str, bucket: str, endpoint: str, **secrets: str) -> None:
    options = {"url": f"s3://{bucket}", "options": {"aws_endpoint": endpoint, "aws_allow_http": "true"}}
    client.connections.create(name, "files", options, {"options": secrets} if secrets else None)


def everything(jobdeck: Installation, client: Client, *jobs: int) -> str:
    """All that anybody gets to see of the jobs, and the server's own log."""
    seen: list[Any] = [client.jobs.get(job).model_dump(mode="json") for job in jobs]
    seen += [[a.model_dump(mode="json") for a in client.jobs.attempts(job)] for job in jobs]
    seen += [[s.model_dump(mode="json") for s in client.jobs.steps(job)] for job in jobs]
    seen += [line.read_text() for line in jobdeck.home.glob("*.log")]
    return json.dumps(seen, default=str)


def test_jobs_of_a_connection(jobdeck: Installation) -> None:
    jobdeck.up()

    def failing(_method: str, _path: str) -> Answer:
        return Answer(500, b"INTERNALSECRETBODY")

    with recorder() as good, recorder() as signed, recorder() as internal, recorder(failing) as bad:

        def redirecting(_method: str, _path: str) -> Answer:
            return Answer(302, b"", {"Location": f"{internal.url}/range-secret"})

        with recorder(redirecting) as redirect, jobdeck.client() as client:
            connect(client, "anonymous", "anon", good.url)
            connect(client, "keys", "keys", signed.url, aws_access_key_id="MYKEY", aws_secret_access_key=SECRET)
            connect(client, "redirects", "redirects", redirect.url)
            connect(client, "fails", "fails", bad.url, aws_access_key_id="MYKEY", aws_secret_access_key=SECRET)
            jobs = {
                name: client.jobs.submit("import", {"files": [f"s3://{name}/in.csv"], "into": f"lake/b/{name}"}).id
                for name in ("anon", "keys", "redirects", "fails")
            }
            assert jobdeck.until_state(jobs["anon"], "succeeded").result["rows"] == 1
            assert jobdeck.until_state(jobs["keys"], "succeeded").result["rows"] == 1
            redirected = jobdeck.until_state(jobs["redirects"], "failed", seconds=120)
            failed = jobdeck.until_state(jobs["fails"], "failed", seconds=120)
            seen = everything(jobdeck, client, *jobs.values())
        assert good.headers_named("authorization") == []
        assert all("Credential=MYKEY/" in header for header in signed.headers_named("authorization"))
        assert "WORKER" not in repr(good.seen) + repr(signed.seen)
        assert internal.seen == []
        assert redirected.error is not None
        assert "redirect, which is not followed" in redirected.error.message
        assert failed.error is not None
        assert failed.error.code == "storage_unavailable"
        host = bad.url.removeprefix("http://")
        assert failed.error.message == f"The storage at {host} answered 500. The bucket is 'fails'."
        for word in ("INTERNALSECRETBODY", "Debug source", SECRET, "WORKERSECRET", "panicked"):
            assert word not in seen


def test_endpoints_and_options_are_refused_when_a_connection_is_made(home: Path, sqlite_database_url: str) -> None:
    """And nothing of it is kept."""
    with installation(home, sqlite_database_url.replace("+aiosqlite", "")) as jobdeck, recorder() as server:
        jobdeck.up()
        port = server.url.rpartition(":")[2]
        with jobdeck.client() as client:
            hosts = ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254")
            for host in hosts:
                with pytest.raises(ApiError) as refused:
                    connect(client, "c", "bucket", f"http://{host}:{port}")
                assert refused.value.problem.code in ("endpoint_not_allowed", "invalid_storage_option"), host
            for name in ("proxy_url", "aws_allow_invalid_certificates", "aws_metadata_endpoint", "aws_role_arn"):
                with pytest.raises(ApiError) as refused:
                    client.connections.create("c", "files", {"url": "s3://b", "options": {name: SECRET}}, None)
                assert refused.value.problem.code == "invalid_storage_option"
                assert SECRET not in str(refused.value)
            for url in ("gs://b", "az://b", "file:///etc", "http://169.254.169.254/"):
                with pytest.raises(ApiError) as refused:
                    client.connections.create("c", "files", {"url": url}, None)
                assert refused.value.problem.code == "invalid_storage_option"
            assert [c.name for c in client.connections.list()] == ["lake"]
        assert server.seen == []
