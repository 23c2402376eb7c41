"""Files as a connector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobdeck.connectors.base import Capabilities, Connector
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.sink import FilesSink
from jobdeck.connectors.files.source import FilesSource
from jobdeck.core.environment import Environment
from jobdeck.storage import connection
from jobdeck.storage.folders import Folder


class FilesConnector(Connector):
    """A bucket or folder of files. Options: `url` (`s3://bucket/prefix`) and `options` (keys, region, endpoint)."""

    kind = "files"
    capabilities = Capabilities(
        read=True, write=True, partition=True, resume_read=True, upsert=False, rename=True, transactional=False
    )
    Config = FilesConfig

    def source(self, environment: Environment, options: dict[str, Any], path: tuple[str, ...]) -> FilesSource:
        """All files below `path` as one table."""
        return FilesSource(FilesConfig(files=["/".join((str(options["url"]).rstrip("/"), *path))]), environment)

    def sink(self, environment: Environment, options: dict[str, Any], path: tuple[str, ...]) -> FilesSink:
        url = str(options.get("url", "")).rstrip("/")
        return FilesSink(Folder("/".join((url, *path)), connection.given(options), environment.allowed_endpoints))

    def check_options(self, options: dict[str, Any], allowed_endpoints: Sequence[str]) -> None:
        """Whether it is a bucket, with options that a connection may give, at an address that it may reach."""
        connection.check(options, allowed_endpoints)
