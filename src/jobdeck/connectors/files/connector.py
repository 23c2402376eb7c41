"""Files as a connector."""

from __future__ import annotations

from typing import Any

from jobdeck.connectors.base import Capabilities, Connector
from jobdeck.connectors.errors import PathNotAllowed
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.sink import FilesSink
from jobdeck.connectors.files.source import FilesSource
from jobdeck.connectors.storage import Folder
from jobdeck.core.environment import Environment


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
        url = str(options["url"]).rstrip("/")
        if not url.startswith("s3://"):
            raise PathNotAllowed("Connections of kind 'files' are buckets.", hint="Set the url to s3://bucket/prefix.")
        keys = {str(k): str(v) for k, v in options.get("options", {}).items()}
        return FilesSink(Folder("/".join((url, *path)), keys))
