"""Looks whether the place that a connection leads to answers; run by the server in a process of its own, never as a
job."""

from __future__ import annotations

from pydantic import BaseModel

from jobdeck.connectors import registry
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.tasks import Run


class ConnectionLook(JobType):
    """Ask the connector."""

    class Params(BaseModel):
        """The connection."""

        name: str

    @step
    def look(self, run: Run) -> str:
        found = registry.connection(run.environment, self.params.name)
        return registry.connector(found.kind).look(run.environment, found.options)
