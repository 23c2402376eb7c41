"""What tasks and checks of a project may use: its connections and the places it may touch."""

from __future__ import annotations

from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.errors import NotFound
from jobdeck.services.core import Installation
from jobdeck.store import connections, projects
from jobdeck.store.database import Database


class Environments:
    """Builds the environment of a project; it is looked up anew each time, so changes count at once."""

    def __init__(self, database: Database, installation: Installation, work_dir: str = "") -> None:
        self._database = database
        self._installation = installation
        self._work_dir = work_dir

    async def of(self, project: str) -> Environment:
        """The environment of the project called so; raises NotFound."""
        async with self._database.read() as connection:
            found = await projects.by_name(connection, project)
            if found is None:
                raise NotFound(f"There is no project '{project}'.", field="project")
            stored = await connections.of_project(connection, found.id)
        return Environment(
            project=project,
            storage_url=self._installation.storage_url,
            storage_options=dict(self._installation.storage_options),
            allowed_paths=self._installation.allowed_paths,
            connections={c.name: ConnectionSpec(name=c.name, kind=c.kind, options=c.options) for c in stored},
            work_dir=self._work_dir,
        )
