"""Whether the place that a connection leads to answers: asked in a process that is killed when it takes too long."""

from __future__ import annotations

import time
from typing import Any

from jobdeck.access.caller import Caller, Permission
from jobdeck.core.environment import ConnectionSpec
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.tasks import TaskRequest
from jobdeck.services.core import Core
from jobdeck.services.data.connections import Connections
from jobdeck.services.data.environments import Environments
from jobdeck.wire.admin import ConnectionTest

SECONDS = 15.0
"""That a look may take, the start of its process included."""
_LOOK = "jobdeck.jobs.connection_look:ConnectionLook"


class TestableConnections(Connections):
    """The use cases of connections, and that of testing one."""

    def __init__(self, core: Core, environments: Environments) -> None:
        super().__init__(core)
        self._environments = environments

    async def test(self, caller: Caller, project_name: str, name: str) -> ConnectionTest:
        """Ask its place for something small; raises NotFound. Who may run jobs may have its secrets used."""
        project, stored = await self.find(caller, project_name, name, Permission.JOB_SUBMIT)
        spec = ConnectionSpec(name=stored.name, kind=stored.kind, options=self._environments.opened(project.id, stored))
        environment = await self._environments.of(project.name)
        only = environment.model_copy(update={"connections": {stored.name: spec}})
        request = TaskRequest(
            job=0, project=project.name, type="connection-look", implementation=_LOOK, attempt=1, epoch=0, step="look",
            method="look", step_index=0, index=0, key="", params={"name": stored.name}, environment=only,
            timeout=SECONDS,
        )  # fmt: skip
        began = time.monotonic()
        outcome = await self._core.previews.ask(request)
        return ConnectionTest(**_told(outcome), seconds=round(time.monotonic() - began, 2))


def _told(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Succeeded(result):
            return {"ok": True, "text": str(result)}
        case Failed(error) if error.code == "timeout":
            text = f"There was no answer within {SECONDS:g} s."
            return {"ok": False, "text": text, "code": "timeout", "hint": "Look at its address, and at firewalls."}
        case Failed(error):
            return {"ok": False, "text": error.message, "code": error.code, "hint": error.hint}
        case Lost(reason):
            return {"ok": False, "text": f"The process that looked has died: {reason}.", "code": "look_died"}
        case Stopped():
            return {"ok": False, "text": "The process that looked was stopped.", "code": "look_died"}
