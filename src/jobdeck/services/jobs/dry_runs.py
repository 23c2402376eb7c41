"""Dry runs: everything that a submission would check and plan, and nothing of it stored."""

from __future__ import annotations

import json
from typing import Any

from jobdeck.access.caller import Caller
from jobdeck.core.life.waiting import Waiting, obstacles
from jobdeck.engine.preview import PreviewLook
from jobdeck.engine.scheduling.world import snapshot
from jobdeck.engine.submitting.submit import Submission
from jobdeck.services.core import Core
from jobdeck.services.data.environments import Environments
from jobdeck.services.jobs import differences
from jobdeck.services.jobs.claims import claim_view
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.services.jobs.presenter import wait_view
from jobdeck.services.masking import Masker
from jobdeck.store.jobs.submissions import NewJob
from jobdeck.store.running import leases
from jobdeck.wire.base import instant_or_none
from jobdeck.wire.jobs import ErrorView, RunAgainRequest, SubmitRequest
from jobdeck.wire.plans import JobPlan


class DryRuns:
    """The use cases of dry runs. They need what submitting needs."""

    def __init__(self, core: Core, jobs: Jobs, environments: Environments) -> None:
        self._core = core
        self._jobs = jobs
        self._environments = environments
        self._masker = Masker(core.registry)

    async def of(self, caller: Caller, project_name: str, request: SubmitRequest) -> JobPlan:
        """What submitting `request` would do; raises what submitting raises, and Unavailable."""
        (wanted,) = await self._jobs.submissions(caller, project_name, [request])
        return await self._plan(caller, wanted)

    async def of_again(self, caller: Caller, job_id: int, asked: RunAgainRequest) -> JobPlan:
        """What running `job_id` again would do, with the difference between the old parameters and the new ones."""
        wanted, old = await self._jobs.again(caller, job_id, asked)
        plan = await self._plan(caller, wanted)
        new = dict(wanted.params)
        shown = self._masker.mask(wanted.type, old), self._masker.mask(wanted.type, new)
        return plan.model_copy(update={"changes": differences.changes(old, new, *shown)})

    async def _plan(self, caller: Caller, wanted: Submission) -> JobPlan:
        new, duplicate = await self._core.submitter.check(wanted)
        registered = self._core.registry.get(wanted.type)
        environment = await self._environments.for_tasks(wanted.project)
        look = await self._core.previews.look(registered, wanted.params, wanted.project, environment)
        claims = leases.claims_of(new.claims)
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            installation = self._core.installation
            world = await snapshot(connection, now, installation.project_limit, installation.worker_silence)
            waiting = Waiting(0, wanted.project, wanted.type, claims, wanted.not_before)
            reasons = list(obstacles(waiting, world, now, caller.project))
        return JobPlan(
            **_asked(wanted, new),
            **_looked(look),
            ok=look.error is None and not (look.preview and look.preview.refusals),
            params=self._masker.mask(wanted.type, dict(wanted.params)),
            duplicate_of=duplicate,
            claims=[claim_view(claim, world, caller.project) for claim in claims],
            wait=[wait_view(reason) for reason in reasons],
            can_preview=registered.job_type.has_preview(),
        )


def _asked(wanted: Submission, new: NewJob) -> dict[str, Any]:
    return {
        "project": wanted.project,
        "type": wanted.type,
        "category": new.category,
        "description": new.description,
        "subject": new.subject,
        "priority": new.priority,
        "tags": json.loads(new.tags),
        "parent": wanted.parent,
        "configuration": wanted.configuration,
        "not_before": instant_or_none(wanted.not_before),
    }


def _looked(look: PreviewLook) -> dict[str, Any]:
    tasks = look.preview.tasks if look.preview is not None else {}
    steps = [step.model_copy(update={"tasks": tasks.get(step.name, step.tasks)}) for step in look.steps]
    error = look.error and ErrorView(code=look.error.code, message=look.error.message, hint=look.error.hint)
    return {"steps": steps, "preview": look.preview, "error": error}
