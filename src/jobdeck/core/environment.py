"""What a task may use of its surroundings, as plain data that travels to the process (or node) that runs it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from jobdeck.core.errors import NotFound

DEFAULT_PROJECT = "default"
"""The project that is meant where none is named; every installation has it."""


class ConnectionSpec(BaseModel):
    """A connection of the project: its kind names the connector, `options` are that connector's configuration."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    options: dict[str, Any] = Field(default_factory=dict, repr=False)


class Environment(BaseModel):
    """The project's connections and the places it may touch. Holds no credentials of the control database."""

    model_config = ConfigDict(frozen=True)

    project: str = DEFAULT_PROJECT
    storage_url: str = ""
    """Root of the installation's object storage: `file:///…` or `s3://bucket/prefix`."""
    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)
    allowed_paths: tuple[str, ...] = ()
    """Folders of the server that jobs may read files from; empty means none."""
    allowed_endpoints: tuple[str, ...] = ()
    """Addresses that connections may reach besides public ones: hosts with or without a port, and networks."""
    forbidden_paths: tuple[str, ...] = ()
    """What jobs may not read although it lies below an allowed folder: the installation's own files, resolved."""
    connections: dict[str, ConnectionSpec] = Field(default_factory=dict)
    work_dir: str = ""
    """A folder on the machine that runs the task, for temporary files."""

    def connection(self, name: str) -> ConnectionSpec:
        """The project's connection of this name, with its secrets among the options. Raises NotFound."""
        found = self.connections.get(name)
        if found is None:
            known = ", ".join(sorted(self.connections)) or "none"
            raise NotFound(
                f"There is no connection '{name}' in project '{self.project}'.", hint=f"Connections here: {known}."
            )
        return found

    def project_root(self) -> str:
        """Where this project's data lives in the object storage, without a trailing slash."""
        return f"{self.storage_url.rstrip('/')}/projects/{self.project}"
