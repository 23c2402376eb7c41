"""Opens storages: a local folder, the installation's own bucket, or the bucket of a connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, ObjectStore, S3Store

from jobdeck.core.errors import JobdeckError
from jobdeck.storage import connection, options
from jobdeck.storage.errors import OBJECT_STORAGE, InvalidStorageOption, told
from jobdeck.storage.gateway import Gateway

CONNECTION_RETRIES = 4
CONNECTION_PATIENCE = 30.0
_ENVIRONMENT = threading.Lock()


@dataclass(frozen=True, slots=True)
class Store:
    """An opened storage: keys are given below `prefix`. `who`: what it is called in messages."""

    inner: ObjectStore
    prefix: str
    who: str
    bucket: str = ""
    gateway: Gateway | None = None

    def key(self, name: str) -> str:
        """The whole key of an object, or of a folder (`name` empty: of the prefix itself)."""
        return "/".join(part for part in (self.prefix, name) if part)

    def name(self, key: str) -> str:
        """The key below the prefix."""
        return key[len(self.prefix) + 1 :] if self.prefix else key

    def told(self) -> AbstractContextManager[None]:
        """Errors as ours, in the name of this storage."""
        return told(self.who, self.bucket, self.gateway.refusal if self.gateway is not None else _nothing)


def _nothing() -> JobdeckError | None:
    return None


def folder_of(url: str) -> Path | None:
    """Where the storage is on this machine, or None for a bucket."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def check_url(url: str) -> None:
    """Raises InvalidStorageOption unless it is a local folder or an S3 bucket."""
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in ("file", "s3") or (scheme == "file" and not rest.startswith("/")):
        why = f"'{scheme[:20]}' is not supported" if colon else "this is no bucket and no folder"
        raise InvalidStorageOption(
            f"Setting 'storage_url': {why}.",
            field="storage_url",
            hint="Use file:///path or s3://bucket/prefix.",
        )
    if scheme == "s3":
        try:
            connection.address(url)
        except InvalidStorageOption:
            raise InvalidStorageOption(
                "Setting 'storage_url': this is no bucket.", field="storage_url", hint="Use s3://bucket/prefix."
            ) from None


def own(url: str, given: Mapping[str, str], **changed: Any) -> Store:
    """A place in the installation's own storage, which an administrator has set: its keys may come from anywhere."""
    path = folder_of(url)
    if path is not None:
        return Store(LocalStore(path, automatic_cleanup=True), "", OBJECT_STORAGE)
    bucket, prefix = connection.address(url)
    return Store(
        _own_bucket(bucket, tuple(sorted(given.items())), tuple(changed.items())), prefix, OBJECT_STORAGE, bucket
    )


@lru_cache(maxsize=8)
def _own_bucket(bucket: str, given: tuple[tuple[str, str], ...], changed: tuple[tuple[str, Any], ...]) -> ObjectStore:
    """One client for all places in a bucket: connections are used again."""
    made = options.parse(dict(given))
    with told(OBJECT_STORAGE, bucket):
        return S3Store(
            bucket,
            config=cast("Any", {"region": "us-east-1", **_environment_region(), **made.bucket}),
            client_options=cast("Any", made.client),
            retry_config=cast("Any", {**made.retry(), **dict(changed)}),
        )


def _environment_region() -> dict[str, str]:
    found = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return {"region": found} if found else {}


def foreign(url: str, given: Mapping[str, str], allowed: tuple[str, ...]) -> Store:
    """The bucket of a connection, at an endpoint that is checked at each use. Raises EndpointNotAllowed, …"""
    bucket, prefix = connection.address(url)
    return Store(*_foreign_bucket(bucket, tuple(sorted(given.items())), allowed).at(prefix))


@dataclass(frozen=True, slots=True)
class _Foreign:
    inner: ObjectStore
    who: str
    bucket: str
    gateway: Gateway

    def at(self, prefix: str) -> tuple[ObjectStore, str, str, str, Gateway]:
        return self.inner, prefix, self.who, self.bucket, self.gateway


@lru_cache(maxsize=16)
def _foreign_bucket(bucket: str, given: tuple[tuple[str, str], ...], allowed: tuple[str, ...]) -> _Foreign:
    spec = {"url": f"s3://{bucket}", "options": dict(given)}
    connection.check(spec, allowed)
    made = options.parse(connection.given(spec), "options.options")
    endpoint = connection.endpoint(bucket, made)
    config, keys = connection.complete(bucket, made)
    gateway = Gateway(endpoint, allowed)
    who = f"The storage at {endpoint.shown}"
    provider = {} if keys is None else {"credential_provider": _provider(keys)}
    with told(who, bucket), _no_environment():
        inner = S3Store(
            bucket,
            config=cast("Any", config),
            client_options=cast("Any", {**made.client, "allow_http": True, "proxy_url": gateway.url}),
            retry_config=cast(
                "Any", options.Options(max_retries=CONNECTION_RETRIES, retry_timeout=CONNECTION_PATIENCE).retry()
            ),
            **cast("Any", provider),
        )
    return _Foreign(inner, who, bucket, gateway)


def _provider(keys: dict[str, str]) -> Any:
    def provide() -> dict[str, Any]:
        return {
            "access_key_id": keys["access_key_id"],
            "secret_access_key": keys["secret_access_key"],
            "token": keys.get("session_token") or None,
            "expires_at": None,
        }

    return provide


@contextmanager
def _no_environment() -> Iterator[None]:
    """Without the process's own AWS variables: the library adds each of them that no option stands against."""
    with _ENVIRONMENT:
        hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.upper().startswith("AWS_")}
        try:
            yield
        finally:
            os.environ.update(hidden)
