"""A whole installation whose storage is a real S3 server over http; and one whose storage cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.installation import installation, until
from tests.s3 import Bucket


def options(bucket: Bucket, **change: str) -> str:
    return ",".join(f"{name}={value}" for name, value in {**bucket.options, **change}.items())


def test_all_of_it_works_over_http(home: Path, sqlite_database_url: str, s3_bucket: Bucket) -> None:
    settings = {"storage_url": f"{s3_bucket.url}/inst", "storage_options": options(s3_bucket)}
    lines = "".join(f"{i},{os.urandom(400).hex()}\n" for i in range(8000))
    (home / "in.csv").write_text(f"id,text\n{lines}")
    with installation(home, sqlite_database_url.replace("+aiosqlite", ""), **settings) as jobdeck:
        jobdeck.up()
        with jobdeck.client() as client:
            file = client.files.upload(home / "in.csv")
            job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/b/t"}).id
            paused = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/b/u"}).id
            client.jobs.pause(paused)
            assert jobdeck.until_state(job, "succeeded").result == {
                "into": "lake/b/t", "version": 0, "rows": 8000, "rejected": 0, "rejects": [], "kept_attempt": None,
            }  # fmt: skip
            jobdeck.until_state(paused, "paused")
            client.jobs.resume(paused)
            jobdeck.until_state(paused, "succeeded")
            until(lambda: s3_bucket.keys_of_objects(f"inst/logs/{job}"), "a log is stored")
            client.jobs.delete(job)
            until(lambda: s3_bucket.keys_of_objects(f"inst/logs/{job}") == [], "its logs are gone")
            assert s3_bucket.keys_of_objects("inst/projects/default/lake/b/t/jobs"), "its rows stay"
            client.files.delete(file.id)
            assert s3_bucket.keys_of_objects("inst/projects/default/files") == []


@pytest.mark.parametrize(
    ("url", "change", "words"),
    [
        ("", {"aws_secret_access_key": "wrong"}, "The object storage refused the keys (403)."),
        ("", {"aws_access_key_id": "readkey", "aws_secret_access_key": "readsecret"}, "refused the keys (403)."),
        ("", {"aws_endpoint": "http://127.0.0.1:1"}, "The object storage does not answer."),
        ("", {"aws_allow_http": "false"}, "is an address without encryption."),
        ("", {"aws_endpont": "x"}, "There is no storage option 'aws_endpont'."),
        ("s3://no-such-bucket/inst", {}, "The object storage has no bucket 'no-such-bucket'."),
        ("gs://bucket", {}, "Setting 'storage_url': 'gs' is not supported."),
        ("s3://", {}, "Setting 'storage_url': this is no bucket and no folder."),
    ],
)
def test_a_storage_that_cannot_be_used_is_told_at_the_start(
    home: Path, sqlite_database_url: str, s3_bucket: Bucket, url: str, change: dict[str, str], words: str
) -> None:
    settings = {"storage_url": url or f"{s3_bucket.url}/inst", "storage_options": options(s3_bucket, **change)}
    with installation(home, sqlite_database_url.replace("+aiosqlite", ""), **settings) as jobdeck:
        process = jobdeck._start(["up", "--port", "0"], {})
        assert process._process.wait(60) not in (0, 70)
        told = process.log.read_text()
    assert words in " ".join(told.split())
    for word in ("panicked", "Traceback", "Debug", "testsecret", "<?xml", "stack backtrace"):
        assert word not in told
