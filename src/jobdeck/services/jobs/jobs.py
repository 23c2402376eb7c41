"""Jobs: submit, list, count, show, operate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.access.caller import PERMISSION_OF_OPERATION, Caller, Permission, visible_project
from jobdeck.core.errors import InvalidInput, NotFound
from jobdeck.core.life import family
from jobdeck.core.life.job import ChildPolicy
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.states import ENDED, State
from jobdeck.core.values import check_depth
from jobdeck.engine.control import Result, all_along, none_along
from jobdeck.engine.submitting.submit import Submission
from jobdeck.services.core import Core
from jobdeck.services.jobs.presenter import Presenter
from jobdeck.services.jobs.queries import JobConditions, JobQuery, to_filter, wanted_fields
from jobdeck.services.masking import Masker, unmasked
from jobdeck.store import configurations
from jobdeck.store.configurations import StoredConfiguration
from jobdeck.store.projects import StoredProject
from jobdeck.store.views import JobRow, Reader, job_lists, job_views
from jobdeck.store.views.occurring import Occurring
from jobdeck.wire.base import Page, micros
from jobdeck.wire.jobs import ActionView, Deleted, Job, PauseRequest, RunAgainRequest, SubmitRequest


@dataclass(frozen=True, slots=True)
class AskedOperation:
    """An operation asked of a job; `resume_at` µs, for pause."""

    operation: Operation
    reason: str | None = None
    resume_at: int | None = None

    @classmethod
    def of(cls, operation: Operation, body: Any) -> AskedOperation:
        """From the request's body, which may be missing."""
        at = body.resume_at if isinstance(body, PauseRequest) else None
        return cls(operation, body.reason if body else None, micros(at) if at else None)


class Jobs:
    """The use cases of jobs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lists = job_lists.JobLists()
        self._masker = Masker(core.registry)
        self._seals = core.seals()
        silence = core.installation.worker_silence
        self._presenter = Presenter(core.registry, core.installation.project_limit, silence)

    async def page(self, caller: Caller, query: JobQuery) -> tuple[Page[Job], set[str] | None]:
        """A page of the jobs that the caller may see, and the fields that were asked for (None: all)."""
        caller.require(Permission.JOB_READ)
        fields, order, position = wanted_fields(query.fields), query.order(), query.position()
        async with self._core.database.read_one_moment() as connection:
            now = await self._core.database.clock.now(connection)
            where = await to_filter(connection, caller, query, now)
            listed = await self._lists.page(connection, where, order, position, query.limit)
            items = await self._presenter.jobs(connection, listed.rows, caller, now, fields)
        following = query.cursor_at(listed.next) if listed.next is not None else None
        return Page[Job](items=items, next=following), fields

    async def counts(self, caller: Caller, conditions: JobConditions) -> dict[str, int]:
        """How many of the jobs that the caller may see match, for every state."""
        caller.require(Permission.JOB_READ)
        async with self._core.database.read_one_moment() as connection:
            now = await self._core.database.clock.now(connection)
            return await self._lists.counts(connection, await to_filter(connection, caller, conditions, now))

    async def occurring(self, caller: Caller, project: str | None) -> Occurring:
        """The types and categories of the jobs that the caller may see, of one project or of all."""
        caller.require(Permission.JOB_READ)
        async with self._core.database.read_one_moment() as connection:
            if project is not None:
                ids: tuple[int, ...] | None = ((await visible_project(connection, caller, project)).id,)
            else:
                ids = None if caller.project_id is None else (caller.project_id,)
            return await self._lists.occurring(connection, ids)

    async def warm(self) -> None:
        """Read what lists and searches look at into memory, bit by bit, so that the first ones need not."""
        more = True
        while more:
            async with self._core.database.read_one_moment() as connection:
                more = await self._lists.warm(connection)

    async def get(self, caller: Caller, job_id: int) -> Job:
        """One job with all its fields, the children that deleting it would take along, and what is left of it.

        Raises NotFound."""
        job = (await self.get_many(caller, [job_id]))[0]
        if job.state is State.CANCELED and job.warnings:
            async with self._core.database.read() as connection:
                found = await job_views.leftovers(connection, job_id)
            job = job.model_copy(update={"leftovers": found})
        delete = job.actions.get(str(Operation.DELETE))
        if delete is None or not delete.allowed:
            return job
        async with self._core.database.read() as connection:
            below = await job_views.descendants(connection, job_id)
        if not below:
            return job
        unended = sum(count for state, count in below.items() if State(state) not in ENDED)
        counted = ActionView(allowed=True, children=family.merged(below))
        if unended:
            counted = ActionView(allowed=False, why=f"{unended} of its children have not ended")
        return job.model_copy(update={"actions": {**job.actions, str(Operation.DELETE): counted}})

    async def get_many(self, caller: Caller, ids: Sequence[int], fields: set[str] | None = None) -> list[Job]:
        """Jobs in the order of `ids`; raises NotFound for one that is not there or not visible.

        What `fields` (None: all) does not need is not looked up."""
        caller.require(Permission.JOB_READ)
        async with self._core.database.read() as connection:
            rows = await job_views.many(connection, list(dict.fromkeys(ids)))
            for job_id in ids:
                if job_id not in rows or not caller.sees(rows[job_id]["project_id"]):
                    raise no_such_job(job_id)
            now = await self._core.database.clock.now(connection)
            shown = await self._presenter.jobs(connection, list(rows.values()), caller, now, fields)
        by_id = {job.id: job for job in shown}
        return [by_id[job_id] for job_id in ids]

    async def submit(
        self, caller: Caller, project_name: str, requests: Sequence[SubmitRequest], key: str | None = None
    ) -> list[int]:
        """Accept all the jobs or none; their ids. The same `key` with the same requests gives the first ones' ids."""
        submissions = await self.submissions(caller, project_name, requests)
        idempotency = (key, _request_hash(project_name, requests)) if key is not None else None
        return await self._core.submitter.submit(
            submissions, actor=caller.name, principal_id=caller.principal_id, idempotency=idempotency
        )

    async def submissions(
        self, caller: Caller, project_name: str, requests: Sequence[SubmitRequest]
    ) -> list[Submission]:
        """What the engine gets of `requests`, where the caller may submit; raises InvalidInput, NotFound, Forbidden."""
        for request in requests:
            check_depth(request.params, "params")
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            caller.require(Permission.JOB_SUBMIT)
            named = sorted({r.configuration for r in requests if r.configuration is not None})
            saved = {id_: await configurations.get(connection, project.id, id_) for id_ in named}
        return [self._submission(caller, project, r, saved) for r in requests]

    async def run_again(self, caller: Caller, job_id: int, asked: RunAgainRequest, key: str | None = None) -> Job:
        """A new job like `job_id`, but for what is asked to differ, at the top even where the old one had a parent."""
        submission, _ = await self.again(caller, job_id, asked)
        idempotency = (key, _hash(["run-again", job_id, asked.model_dump(mode="json")])) if key is not None else None
        ids = await self._core.submitter.submit(
            [submission], actor=caller.name, principal_id=caller.principal_id, idempotency=idempotency
        )
        return await self.get(caller, ids[0])

    async def again(self, caller: Caller, job_id: int, asked: RunAgainRequest) -> tuple[Submission, dict[str, Any]]:
        """What the engine gets of a job that is run again, and the parameters of the old one, secrets included."""
        async with self._core.database.read() as connection:
            row = await self.visible_row(connection, caller, job_id)
        caller.require(Permission.JOB_SUBMIT)
        check_depth(asked.params, "params")
        old = self._seals.open(row["project_id"], json.loads(row["params"]), row["secrets"])
        return self._copy(caller, row, old, asked), old

    def _copy(self, caller: Caller, row: JobRow, old: dict[str, Any], asked: RunAgainRequest) -> Submission:
        params = self._params_again(row["type"], old, asked)
        owner = self._seals.kept(
            row["type"], row["project_id"], old, row["secrets"], typed=asked.params, wanted=params,
            principal_id=caller.principal_id,
        )  # fmt: skip
        tags = asked.tags if asked.tags is not None else json.loads(row["tags"])
        return Submission(
            type=row["type"],
            params=params,
            project_id=row["project_id"],
            project=row["project"],
            created_by=caller.principal_id,
            priority=row["priority"] if asked.priority is None else asked.priority,
            tags=tuple(dict.fromkeys(tags)),
            configuration=row["configuration_id"],
            configuration_version=row["configuration_version"],
            on_child_failure=ChildPolicy(row["on_child_failure"]),
            # With other parameters the old sentence may be wrong; the type then makes a new one.
            description=asked.description or (row["description"] if params == old else None),
            token_id=caller.token_id,
            copied_from=row["id"],
            secrets_by=owner,
        )

    def _params_again(self, type_name: str, old: dict[str, Any], asked: RunAgainRequest) -> dict[str, Any]:
        if asked.replace and asked.params is None:
            hint = "Send all the parameters, or leave `replace` out to keep the old ones."
            raise InvalidInput("There are no parameters to replace the old ones.", field="params", hint=hint)
        meant: dict[str, Any] = unmasked(asked.params or {}, old, self._masker.mask(type_name, old))
        return meant if asked.replace else {**old, **meant}

    def _submission(
        self,
        caller: Caller,
        project: StoredProject,
        asked: SubmitRequest,
        saved: Mapping[int, StoredConfiguration | None],
    ) -> Submission:
        """What is handed to the engine; `saved` has the configurations that requests name, by id."""
        params, version, owner = asked.params, None, caller.principal_id
        if asked.configuration is not None:
            found = saved[asked.configuration]
            if found is None:
                raise InvalidInput(
                    f"There is no configuration {asked.configuration} in this project.", field="configuration"
                )
            if found.type != asked.type:
                raise InvalidInput(f"Configuration {found.id} is one of the type '{found.type}'.", field="type")
            params, owner = self._over(caller, found, asked.params)
            version = found.version
        return Submission(
            type=asked.type,
            params=params,
            project_id=project.id,
            project=project.name,
            created_by=caller.principal_id,
            priority=asked.priority,
            not_before=micros(asked.not_before) if asked.not_before else None,
            tags=tuple(dict.fromkeys(asked.tags)),
            configuration=asked.configuration,
            configuration_version=version,
            parent=asked.parent,
            deduplicate=asked.deduplicate,
            on_child_failure=ChildPolicy(asked.on_child_failure),
            description=asked.description,
            token_id=caller.token_id,
            secrets_by=owner,
        )

    def _over(self, caller: Caller, found: StoredConfiguration, typed: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """A configuration's parameters with those that were typed over them, and who knows the secrets among them."""
        saved = self._seals.open(found.project_id, found.params, found.secrets)
        params = {**saved, **unmasked(typed, saved, self._masker.mask(found.type, saved))}
        owner = self._seals.kept(
            found.type, found.project_id, saved, found.secrets, typed=typed, wanted=params,
            principal_id=caller.principal_id,
        )  # fmt: skip
        return params, owner

    async def operate(self, caller: Caller, job_id: int, asked: AskedOperation) -> Job:
        """The job after the operation was accepted; raises NotFound, OperationRefused."""
        await self._operate(caller, job_id, asked)
        return await self.get(caller, job_id)

    async def delete(self, caller: Caller, job_id: int, *, children: bool = False) -> Deleted:
        """Remove the job and everything recorded about it; with `children` these, too, and theirs.

        Raises NotFound, OperationRefused, and HasChildren where it has some and they were not chosen."""
        await self.require_visible(caller, job_id)
        caller.require(PERMISSION_OF_OPERATION[Operation.DELETE])
        chosen = all_along if children else none_along
        (result,) = await self._core.control.delete([job_id], actor=caller.name, chosen=chosen)
        _raise_refusal(result)
        return Deleted(id=job_id, children=family.by_state(job.state for job in result.along))

    async def _operate(self, caller: Caller, job_id: int, asked: AskedOperation) -> None:
        await self.require_visible(caller, job_id)
        caller.require(PERMISSION_OF_OPERATION[asked.operation])
        results = await self._core.control.operate(
            [job_id], asked.operation, actor=caller.name, reason=asked.reason, resume_at=asked.resume_at
        )
        _raise_refusal(results[0])

    async def set_priority(self, caller: Caller, job_id: int, priority: int) -> Job:
        """The job with its new priority; that of a job which has ended stays as it is."""
        await self.require_visible(caller, job_id)
        caller.require(Permission.JOB_OPERATE)
        _raise_refusal(await self._core.control.set_priority(job_id, priority, actor=caller.name))
        return await self.get(caller, job_id)

    async def visible_row(self, connection: Reader, caller: Caller, job_id: int) -> JobRow:
        """The whole row of a job; raises NotFound when there is no such job or the caller may not see it."""
        caller.require(Permission.JOB_READ)
        row = await job_views.get(connection, job_id)
        if row is None or not caller.sees(row["project_id"]):
            raise no_such_job(job_id)
        return row

    async def require_visible(self, caller: Caller, job_id: int, field: str = "id") -> int:
        """The id of the job's project; raises NotFound when there is no such job or the caller may not see it."""
        caller.require(Permission.JOB_READ)
        async with self._core.database.read() as connection:
            project_id = await job_views.project_of(connection, job_id)
        if project_id is None or not caller.sees(project_id):
            raise no_such_job(job_id, field)
        return project_id


def no_such_job(job_id: int, field: str = "id") -> NotFound:
    """The error of a job that is not there or not visible."""
    return NotFound(f"There is no job {job_id}.", field=field, hint="GET /api/v1/jobs lists those there are.")


def _raise_refusal(result: Result) -> None:
    if result.error is not None:
        raise result.error


def _request_hash(project: str, requests: Sequence[SubmitRequest]) -> str:
    """Equal for equal requests, whatever the order of their fields."""
    return _hash(["jobs", project, [r.model_dump(mode="json") for r in requests]])


def _hash(request: Sequence[Any]) -> str:
    text = json.dumps(request, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
