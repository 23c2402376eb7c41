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
from jobdeck.storage.options import canonical


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

    def shaped(self, options: dict[str, Any], secrets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Keys, region and endpoint may stand beside the url or below `options`; what is secret goes to the secrets."""
        return connection.shaped(options, secrets)

    def plain_name(self, name: str) -> str:
        return canonical(name)

    def leads_to(self, options: dict[str, Any]) -> Any:
        """The bucket at its endpoint; below which prefix makes no difference."""
        return connection.leads_to(options)

    def look(self, environment: Environment, options: dict[str, Any]) -> str:
        """Asks for the first object."""
        url = str(options["url"]).rstrip("/")
        found = Folder(url, connection.given(options), environment.allowed_endpoints).some(1)
        return f"{url} answers; {'there are objects' if found else 'nothing is there yet'}."

    def check_options(self, options: dict[str, Any], allowed_endpoints: Sequence[str]) -> None:
        """Whether it is a bucket, with options that a connection may give, at an address that it may reach."""
        connection.check(options, allowed_endpoints)
