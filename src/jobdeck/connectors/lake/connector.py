"""The lake as a connector."""

from __future__ import annotations

from typing import Any

from jobdeck.connectors.base import Capabilities, Connector
from jobdeck.connectors.lake.config import LakeConfig, table_folder
from jobdeck.connectors.lake.sink import LakeSink
from jobdeck.connectors.lake.source import LakeSource
from jobdeck.core.environment import Environment


class LakeConnector(Connector):
    """Versioned tables; what a job writes appears in one commit."""

    kind = "lake"
    capabilities = Capabilities(
        read=True, write=True, partition=True, resume_read=True, upsert=True, rename=False, transactional=True
    )
    Config = LakeConfig

    def source(self, environment: Environment, options: dict[str, Any], path: tuple[str, ...]) -> LakeSource:
        return LakeSource(table_folder(environment, path), path)

    def sink(self, environment: Environment, options: dict[str, Any], path: tuple[str, ...]) -> LakeSink:
        return LakeSink(table_folder(environment, path), environment.work_dir)
