"""A real S3 server in tests: its address, its keys, and new buckets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.request import Request, urlopen

import obstore
from obstore.store import S3Store

from tests.s3_guardian import KEYS


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and the options with which Jobdeck reaches it."""

    name: str
    endpoint: str
    keys: Mapping[str, str] = field(default_factory=lambda: KEYS)

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    @property
    def options(self) -> dict[str, str]:
        return {
            "aws_access_key_id": self.keys["key"],
            "aws_secret_access_key": self.keys["secret"],
            "aws_endpoint": self.endpoint,
            "aws_allow_http": "true",
            "max_retries": "2",
            "retry_timeout": "10s",
        }

    def store(self) -> S3Store:
        """The bucket as the tests see it, past all of Jobdeck."""
        return S3Store(
            self.name,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=KEYS["key"],
            secret_access_key=KEYS["secret"],
            client_options={"allow_http": True},
        )

    def keys_of_objects(self, prefix: str = "") -> list[str]:
        """All keys below `prefix`, sorted."""
        return sorted(meta["path"] for meta in obstore.list(self.store(), prefix or None).collect())

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self.store(), key, content)


def new_bucket(endpoint: str, name: str = "") -> Bucket:
    """Make a bucket; one of this name may be there."""
    bucket = Bucket(name or f"test-{uuid.uuid4().hex[:16]}", endpoint)
    url = obstore.sign(bucket.store(), "PUT", "", timedelta(minutes=1))
    with urlopen(Request(url, method="PUT"), timeout=30) as answer:
        assert answer.status == 200
    return bucket
