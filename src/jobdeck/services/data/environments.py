"""What tasks and checks of a project may use: its connections and the places it may touch."""

from __future__ import annotations

from typing import Any

from jobdeck.access.vault import Vault
from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.errors import NotFound, Unavailable
from jobdeck.core.values import merged
from jobdeck.services.core import Installation
from jobdeck.services.data.connections import place
from jobdeck.store import connections, projects
from jobdeck.store.connections import StoredConnection
from jobdeck.store.sql.database import Database


class Environments:
    """Builds the environment of a project; it is looked up anew each time, so changes count at once."""

    def __init__(
        self, database: Database, installation: Installation, work_dir: str = "", vault: Vault | None = None
    ) -> None:
        self._database = database
        self._installation = installation
        self._work_dir = work_dir
        self._vault = vault

    async def of(self, project: str) -> Environment:
        """The environment of the project called so, for looks and checks: without secrets. Raises NotFound."""
        return await self._build(project, secrets=False)

    async def for_tasks(self, project: str) -> Environment:
        """As `of`, with the connections' secrets among their options. Raises SecretsUnreadable, Unavailable too."""
        return await self._build(project, secrets=True)

    async def _build(self, project: str, *, secrets: bool) -> Environment:
        async with self._database.read() as connection:
            found = await projects.by_name(connection, project)
            if found is None:
                raise NotFound(f"There is no project '{project}'.", field="project")
            stored = await connections.of_project(connection, found.id)
        options = {c.name: self.opened(found.id, c) if secrets else c.options for c in stored}
        return Environment(
            project=project,
            storage_url=self._installation.storage_url,
            storage_options=dict(self._installation.storage_options),
            allowed_paths=self._installation.allowed_paths,
            allowed_endpoints=self._installation.allowed_endpoints,
            forbidden_paths=self._installation.forbidden_paths,
            connections={c.name: ConnectionSpec(name=c.name, kind=c.kind, options=options[c.name]) for c in stored},
            work_dir=self._work_dir,
        )

    def opened(self, project_id: int, stored: StoredConnection) -> dict[str, Any]:
        """Its options with the secrets among them. Raises SecretsUnreadable, Unavailable."""
        if stored.secrets is None:
            return stored.options
        if self._vault is None:
            raise Unavailable("This process has no key to read secrets with.", hint="Set JOBDECK_SECRET_KEY.")
        return merged(stored.options, self._vault.open(stored.secrets.box, place(project_id, stored.name)))
