"""Submit: check the parameters against the type, resolve claims, say what people call the files that the job is about,
write jobs and their events in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import structlog
from pydantic import BaseModel, ValidationError

from jobdeck.core.claims import Claim, implicit_claims, merge, qualify
from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput, JobdeckError
from jobdeck.core.hooks.answers import Accepted, BadAnswer, accepted
from jobdeck.core.hooks.foreign import accepts_here, is_plain
from jobdeck.core.identity.sealed import ParamSeals, Stored
from jobdeck.core.jobtype import JobType
from jobdeck.core.life.job import ChildPolicy, Job
from jobdeck.core.life.states import ENDED, State
from jobdeck.core.life.waiting import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY, order_key
from jobdeck.core.refs import shown, with_id
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.core.values import MAX_PARAMS, MAX_TAG, MAX_TAGS, bounded_text, clip, encode
from jobdeck.engine.hooks import HookProcesses, RefusedAt, WantedHook, broke
from jobdeck.engine.submitting.refused_params import refused_params
from jobdeck.executors.harness import describe
from jobdeck.executors.hooks import HookRefusal
from jobdeck.store import files
from jobdeck.store.jobs import jobs, submissions
from jobdeck.store.jobs.submissions import NewJob
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import SUBMITTED, NewEvent
from jobdeck.store.sql.wakeups import SCHEDULER

log = structlog.get_logger(__name__)
Environments = Callable[[str], Awaitable[Environment]]


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for a job. `not_before` is µs; `configuration` is an id with the version it has now."""

    type: str
    params: Mapping[str, Any]
    project_id: int
    project: str
    created_by: int
    priority: int = DEFAULT_PRIORITY
    not_before: int | None = None
    tags: Sequence[str] = ()
    configuration: int | None = None
    configuration_version: int | None = None
    parent: int | None = None
    deduplicate: bool = False
    on_child_failure: ChildPolicy = ChildPolicy.FAIL
    description: str | None = None
    token_id: int | None = None
    copied_from: int | None = None
    secrets_by: int | None = None
    """The principal who typed the secrets among the parameters; None: who submits."""


class Submitter:
    """Accepts jobs."""

    def __init__(
        self,
        database: Database,
        registry: TypeRegistry,
        environments: Environments,
        hooks: HookProcesses | None = None,
        seals: ParamSeals | None = None,
    ) -> None:
        """Without `hooks` all types are asked in this process: for tests, and where all types are known. `seals` keeps
        the secrets among parameters; None: nobody does, as where types are tried out."""
        self._database = database
        self._seals = seals
        self._registry = registry
        self._environments = environments
        self._hooks = hooks

    async def submit(
        self,
        submissions_: Sequence[Submission],
        *,
        actor: str,
        principal_id: int,
        idempotency: tuple[str, str] | None = None,
    ) -> list[int]:
        """Accept all of them or none; their ids, in order.

        `idempotency` is a key and a hash of the request: the same key gives the first answer, and Conflict when the
        request differs. Raises InvalidInput (and kin) naming the field, NotFound for a missing parent."""
        try:
            prepared = await self._prepare_all(submissions_)
            prepared = await _with_names(self._database, prepared, [bool(s.description) for s in submissions_])
        except JobdeckError:
            # What was accepted once stays accepted, even if the same would be refused by now.
            earlier = await self._remembered(principal_id, idempotency)
            if earlier is None:
                raise
            return earlier

        async def work(tx: Tx) -> list[int]:
            if idempotency is not None:
                earlier = await submissions.remembered_jobs(tx, principal_id, *idempotency)
                if earlier is not None:
                    return earlier
            batch = await _number(tx, prepared, submissions_)
            tx.called = (SCHEDULER,)  # workers have nothing to do before it assigns it
            async with tx.last_writes():
                await _insert(tx, batch, actor)
                if idempotency is not None:
                    await submissions.remember(tx, principal_id, *idempotency, batch.answer)
            return batch.answer

        storing = asyncio.ensure_future(submissions.settle_races(self._database, work, alone=len(prepared) == 1))
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            # Whoever asked has gone: the transaction is ended in good order, and nobody hears how.
            storing.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            raise

    async def check(self, wanted: Submission) -> tuple[NewJob, int | None]:
        """All that `submit` checks and works out, storing nothing; and the unfinished job that `submit` would give
        instead of a new one, where duplicates are not wanted. Raises what `submit` raises."""
        (prepared,) = await self._prepare_all([wanted])
        (prepared,) = await _with_names(self._database, [prepared], [bool(wanted.description)])

        async def look(tx: Tx) -> int | None:
            await _parents(tx, {wanted.parent} if wanted.parent is not None else set(), [wanted])
            known = await submissions.open_duplicates(tx, [prepared.dedupe_key] if prepared.dedupe_key else [])
            return known.get(prepared.dedupe_key or "")

        return prepared, await self._database.transact(look)

    async def _remembered(self, principal_id: int, key: tuple[str, str] | None) -> list[int] | None:
        if key is None:
            return None
        return await self._database.transact(lambda tx: submissions.remembered_jobs(tx, principal_id, *key))

    async def fits(self, type_name: str, params: Mapping[str, Any], project: str) -> None:
        """Raises InvalidParams unless the parameters fit the type, and UnknownJobType."""
        registered = self._registry.get(type_name)
        if self._hooks is None or is_plain(registered.job_type.Params):
            with _foreign(type_name):
                _instance(registered, params)
            return
        try:
            await self._hooks.fits(registered, params, project)
        except RefusedAt as refused:
            raise _error_of(registered, params, refused) from refused

    async def _prepare_all(self, wanted: Sequence[Submission]) -> list[NewJob]:
        environments = {name: await self._environments(name) for name in {s.project for s in wanted if self._looks(s)}}
        prepared = await asyncio.to_thread(self._draft_all, wanted, environments)
        open_: dict[tuple[str, str], list[int]] = {}
        for i, one in enumerate(prepared):
            if isinstance(one, _Draft):
                open_.setdefault((one.wanted.type, one.wanted.project), []).append(i)
        for (_, project), places in open_.items():
            drafts = [prepared[i] for i in places]
            said = await self._ask(drafts, places, environments[project], len(wanted) > 1)
            for i, draft, one_said in zip(places, drafts, said, strict=True):
                prepared[i] = _new_job(draft, one_said)
        return prepared

    async def _ask(
        self, drafts: Sequence[_Draft], places: Sequence[int], environment: Environment, several: bool
    ) -> list[Accepted]:
        """What the type says of jobs of one project, told by a process that can be killed."""
        assert self._hooks is not None
        registered, project = drafts[0].registered, drafts[0].wanted.project
        questions = [WantedHook(d.wanted.params, d.wanted.description) for d in drafts]
        try:
            return await self._hooks.accept(registered, questions, project, environment)
        except RefusedAt as refused:
            error = _error_of(registered, drafts[refused.index or 0].wanted.params, refused)
            if several:
                error.field = _field_of(places[refused.index], error.field)
            raise error from refused

    def _draft_all(self, wanted: Sequence[Submission], environments: Mapping[str, Environment]) -> list[Any]:
        """A new job for each, or a draft where its type is still to be asked elsewhere."""
        several = len(wanted) > 1
        drafts: list[NewJob | _Draft] = []
        for i, submission in enumerate(wanted):
            try:
                drafts.append(self._draft(submission, environments.get(submission.project)))
            except JobdeckError as error:
                if several:
                    error.field = _field_of(i, error.field)
                raise
        return drafts

    def _looks(self, wanted: Submission) -> bool:
        """Whether its type may look at the project's environment before it says anything."""
        registered = self._registry.find(wanted.type)
        return registered is not None and not accepts_here(registered.job_type)

    def _draft(self, wanted: Submission, environment: Environment | None) -> NewJob | _Draft:
        registered = self._registry.get(wanted.type)
        _check_priority(wanted.priority)
        tags = _tags_text(wanted.tags)
        params = _params_text(wanted.params)
        kind = registered.job_type
        stored = self._stored(wanted)
        shown = params if stored.box is None else encode(stored.params)
        draft = _Draft(wanted, registered, params, shown, stored.box, tags)
        if self._hooks is None or accepts_here(kind):
            with _foreign(wanted.type):
                return _new_job(draft, accepted(_instance(registered, wanted.params), environment, wanted.description))
        if is_plain(kind.Params):  # tells of many faults at once, and needs no process for it
            _check_params(registered, wanted.params)
        return draft

    def _stored(self, wanted: Submission) -> Stored:
        if self._seals is None:
            return Stored(dict(wanted.params), None)
        by = wanted.secrets_by if wanted.secrets_by is not None else wanted.created_by
        return self._seals.seal(wanted.type, wanted.project_id, wanted.params, by)


class _Draft(NamedTuple):
    """A submission that was looked at, but for what the type's own code says of it."""

    wanted: Submission
    registered: RegisteredType
    params: str
    """As they were sent, secrets included."""
    stored: str
    """With masks in the places of secrets."""
    secrets: str | None
    tags: str


def _new_job(draft: _Draft, said: Accepted) -> NewJob:
    wanted, kind = draft.wanted, draft.registered.job_type
    return NewJob(
        project_id=wanted.project_id,
        type=wanted.type,
        category=kind.category,
        isolation=kind.isolation,
        description=said.description,
        subject=said.subject,
        params=draft.stored,
        tags=draft.tags,
        claims=_claims_text(wanted, said.claims, wanted.token_id if kind.parallel_per_token else None),
        priority=wanted.priority,
        parent_id=wanted.parent,
        run_prefix="",
        on_child_failure=str(wanted.on_child_failure),
        created_by=wanted.created_by,
        token_id=wanted.token_id,
        configuration_id=wanted.configuration,
        configuration_version=wanted.configuration_version,
        copied_from=wanted.copied_from,
        dedupe_key=_dedupe_key(draft) if wanted.deduplicate else None,
        not_before=wanted.not_before,
        secrets=draft.secrets,
    )


_FILE = re.compile(r"(?<![\w:/(])file:(\d{1,18})(?!\w)")
MOST_NAMED = 1000
"""Characters of a description or subject with names, at most."""


async def _with_names(database: Database, new: Sequence[NewJob], typed: Sequence[bool]) -> list[NewJob]:
    """The jobs, with `orders.csv (file:22)` for `file:22` in subject and description.

    `typed`: whether a person wrote the job's description, which is then left as it is."""
    wanted = {(job.project_id, int(number)) for job in new for number in _FILE.findall(_texts(job))}
    if not wanted:
        return list(new)
    names: dict[tuple[int, int], str] = {}
    async with database.read() as connection:
        for project in {project for project, _ in wanted}:
            ids = [number for of, number in wanted if of == project]
            names |= {(project, number): name for number, name in (await files.names(connection, project, ids)).items()}
    return [_named(job, names, whole=not by_hand) for job, by_hand in zip(new, typed, strict=True)]


def _texts(job: NewJob) -> str:
    return f"{job.subject or ''} {job.description}"


def _named(job: NewJob, names: Mapping[tuple[int, int], str], *, whole: bool) -> NewJob:
    def put(text: str) -> str:
        return _FILE.sub(lambda m: _with_name(m, names.get((job.project_id, int(m[1])))), text)

    subject = clip(put(job.subject), MOST_NAMED) if job.subject else job.subject
    description = clip(put(job.description), 500) if whole else job.description
    return job._replace(subject=subject, description=description)


def _with_name(found: re.Match[str], name: str | None) -> str:
    return found[0] if name is None else with_id(shown(name), found[0])


def _error_of(registered: RegisteredType, params: Mapping[str, Any], refused: RefusedAt) -> JobdeckError:
    return refused.error or refused_params(registered, params, refused.faults)


@contextmanager
def _foreign(type_name: str) -> Iterator[None]:
    """Around the type's own code: whatever it raises refuses this request and nothing else."""
    try:
        yield
    except BadAnswer as error:
        raise HookRefusal(error.code, "invalid", error.message, field=error.field, hint=error.hint) from error
    except JobdeckError:
        raise
    except (Exception, SystemExit) as error:
        log.warning("job_type_broke", type=type_name, exc_info=error)
        raise broke(type_name, describe(error, type_name).message) from error


def _params_text(params: Mapping[str, Any]) -> str:
    try:
        return bounded_text(dict(params), MAX_PARAMS, "params")
    except (TypeError, RecursionError) as error:
        raise InvalidInput(f"params cannot be stored as JSON: {error}.", field="params") from error


def _field_of(i: int, field: str | None) -> str:
    return f"jobs[{i}].{field}" if field else f"jobs[{i}]"


def _check_priority(priority: int) -> None:
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise InvalidInput(f"A priority is {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}.", field="priority")


def _tags_text(tags: Sequence[str]) -> str:
    if len(tags) > MAX_TAGS or any(not t or len(t) > MAX_TAG for t in tags):
        raise InvalidInput(f"Up to {MAX_TAGS} tags of 1 to {MAX_TAG} characters are allowed.", field="tags")
    return bounded_text(list(tags), MAX_PARAMS, "tags")


def _instance(registered: RegisteredType, params: Mapping[str, Any]) -> JobType:
    return registered.job_type(_check_params(registered, params))


def _check_params(registered: RegisteredType, params: Mapping[str, Any]) -> BaseModel:
    try:
        read: BaseModel = registered.read_params(params)
        return read
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise refused_params(registered, params, faults) from error


def _dedupe_key(draft: _Draft) -> str:
    """The same for parameters that mean the same: `5` and `5.0`, and a default written out or left out.

    Of a type whose model runs code of its own, the parameters are compared as they were sent."""
    wanted, registered = draft.wanted, draft.registered
    if is_plain(registered.job_type.Params):
        params = _check_params(registered, wanted.params).model_dump(mode="json")
    else:
        params = json.loads(draft.params)
    same = json.dumps(params, sort_keys=True)
    return hashlib.sha256(f"{wanted.project_id}|{wanted.type}|{same}".encode()).hexdigest()


def _claims_text(wanted: Submission, own: Sequence[Claim], token: int | None) -> str:
    """What the job claims, by itself and as its type says."""
    facts = wanted.project, wanted.type, wanted.parent, wanted.configuration, token
    if not own:
        return _implicit_text(*facts)
    implicit = implicit_claims(*facts)
    named = (replace(c, resource=qualify(wanted.project, c.resource)) for c in own)
    return _encode_claims(merge([*implicit, *named]))


@lru_cache(maxsize=10_000)
def _implicit_text(
    project: str, type_name: str, parent: int | None, configuration: int | None, token: int | None
) -> str:
    return _encode_claims(merge(implicit_claims(project, type_name, parent, configuration, token)))


def _encode_claims(claims: Sequence[Claim]) -> str:
    return encode([c.to_json() for c in claims])


@dataclass(frozen=True, slots=True)
class _Batch:
    """New jobs with their ids, and what is answered: an id for each that was wanted."""

    new: Sequence[NewJob]
    ids: Sequence[int]
    parents: Sequence[int]
    answer: list[int]


async def _number(tx: Tx, prepared: Sequence[NewJob], wanted: Sequence[Submission]) -> _Batch:
    """Leave out what is there already, and give ids to the others."""
    parents = await _parents(tx, {n.parent_id for n in prepared if n.parent_id is not None}, wanted)
    known = await submissions.open_duplicates(tx, [n.dedupe_key for n in prepared if n.dedupe_key])
    fresh: list[NewJob] = []
    places: dict[int, int] = {}
    for i, new in enumerate(prepared):
        if new.dedupe_key and new.dedupe_key in known:
            continue
        if new.dedupe_key:
            known[new.dedupe_key] = 0
        places[i] = len(fresh)
        fresh.append(new._replace(run_prefix=parents[new.parent_id]) if new.parent_id is not None else new)
    ids = await submissions.next_ids(tx, len(fresh)) if fresh else []
    known |= {new.dedupe_key: job_id for new, job_id in zip(fresh, ids, strict=True) if new.dedupe_key}
    answer = [ids[places[i]] if i in places else known[new.dedupe_key or ""] for i, new in enumerate(prepared)]
    return _Batch(fresh, ids, list(parents), answer)


async def _insert(tx: Tx, batch: _Batch, actor: str) -> None:
    await submissions.insert_many(tx, batch.new, [order_key(tx.now, n.priority) for n in batch.new], batch.ids)
    await submissions.mark_parents(tx, batch.parents)
    tx.emit(*(_submitted(new, job_id, actor) for new, job_id in zip(batch.new, batch.ids, strict=True)))


def _submitted(new: NewJob, job_id: int, actor: str) -> NewEvent:
    data = {"state": str(State.PENDING), "type": new.type, "description": clip(new.description, 200)}
    return NewEvent(SUBMITTED, new.project_id, job_id, actor, data)


async def _parents(tx: Tx, ids: set[int], wanted: Sequence[Submission]) -> dict[int, str]:
    """The run ids of the parents, whose rows stay locked, so that none of them ends before it knows of its child."""
    if not ids:
        return {}
    locked = await jobs.lock(tx, ids)
    for i, submission in enumerate(wanted):
        if submission.parent is not None:
            field = _field_of(i, "parent") if len(wanted) > 1 else "parent"
            _check_parent(locked.get(submission.parent), submission, field)
    return await submissions.run_ids(tx, ids)


def _check_parent(parent: Job | None, child: Submission, field: str) -> None:
    if parent is None or parent.project_id != child.project_id:
        raise InvalidInput(f"There is no job {child.parent} in this project to be the parent.", field=field)
    if parent.state in ENDED or parent.state is State.CANCELING:
        raise InvalidInput(f"Job {parent.id} cannot get children: it is {parent.state}.", field=field)
