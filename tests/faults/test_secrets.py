"""A secret is given to a connection, a program fails, an import fails: whatever is written, the secret is not in it."""

from __future__ import annotations

import base64
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import httpx2
import psycopg
import pytest

from jobdeck.client import Client
from tests.faults.installation import Installation, installation

SECRET = "s3cr3t/Pa+ss=w0rd"
ENV_SECRET = "env-S3cr3t-T0ken"
URLS = (
    "jobs", "jobs/1", "jobs/2", "jobs/1/steps", "jobs/2/steps", "jobs/1/events", "jobs/2/events", "jobs/1/attempts",
    "jobs/2/attempts", "jobs/1/log", "jobs/2/log", "jobs/1/logs", "jobs/2/logs", "jobs/1/lineage", "types", "events",
    "projects/default/connections", "workers", "health", "me", "limits", "projects/default/limits",
)  # fmt: skip


@pytest.fixture
def jobdeck(home: Path, database_url: str) -> Iterator[Installation]:
    allowed = {"allow_commands": "true", "allowed_endpoints": "127.0.0.1:9"}
    with installation(home, database_url, log_level="debug", **allowed) as made:
        yield made


def forms(secret: str) -> list[bytes]:
    """The ways in which it could be written down."""
    plain = secret.encode()
    return [
        plain,
        quote(secret, safe="").encode(),
        base64.b64encode(plain),
        repr(secret)[1:-1].encode(),
        plain.hex().encode(),
    ]


def dump(url: str) -> bytes:
    """Everything that is in the database, as text."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.partition("///")[2])) as connection:
            return "\n".join(connection.iterdump()).encode()
    out = b""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as rows:
                out += b"".join(bytes(part) for part in rows)
    return out


def answers(client: Client, home: Path) -> Iterator[tuple[str, bytes]]:
    token = (home / "admin.token").read_text().strip()
    for path in URLS:
        with httpx2.stream("GET", f"{client.url}/api/v1/{path}", timeout=httpx2.Timeout(10, read=2),
                           headers={"Authorization": f"Bearer {token}"}) as response:  # fmt: skip
            body = b""
            try:
                for part in response.iter_raw():
                    body += part
            except httpx2.ReadTimeout:
                pass  # a stream without end
        yield path, body


def test_secrets_are_nowhere(jobdeck: Installation, database_url: str) -> None:
    up = jobdeck.up()
    secrets = {"options": {"aws_secret_access_key": SECRET, "aws_session_token": SECRET}}
    options = {"url": "s3://no-such-bucket/p", "options": {"aws_region": "eu", "aws_endpoint": "http://127.0.0.1:9",
               "aws_allow_http": "true", "aws_access_key_id": "AK"}}  # fmt: skip
    with jobdeck.client() as client:
        client.connections.create("bucket", "files", options=options, secrets=secrets)
        argv = [sys.executable, "-c", "import os, sys; print('working', os.environ['API_TOKEN']); sys.exit(3)"]
        failing = client.jobs.submit("command", {"argv": argv, "env": {"API_TOKEN": ENV_SECRET}}).id
        importing = client.jobs.submit(
            "import", {"files": ["s3://no-such-bucket/p/orders.csv"], "into": "lake/in.a/t"}
        ).id
        for job in (failing, importing):
            assert jobdeck.until_state(job, "failed", seconds=90).error is not None
        found = dict(answers(client, jobdeck.home))
        logs = b"".join(client.jobs.read_log(failing)) + b"".join(client.jobs.read_log(importing))
    assert b"working" in logs, "the log that is searched is the log"
    assert b"no-such-bucket" in found["projects/default/connections"]
    assert up.stop() == 0
    written = {"logs": logs, "server log": up.log.read_bytes(), "database": dump(database_url), **found}
    written |= {str(p.relative_to(jobdeck.home)): p.read_bytes() for p in jobdeck.home.rglob("*") if p.is_file()}
    assert len(written["database"]) > 1000
    places = [name for name, content in written.items() if any(form in content for form in forms(SECRET))]
    assert places == []
    # What a job gives to its own program is sealed among its parameters, and masked where the program itself prints it.
    assert [name for name, content in written.items() if any(form in content for form in forms(ENV_SECRET))] == []
