"""What jobs have in the object storage: logs, plans, rejects, and files beside tables that no commit names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from jobdeck.core.claims import Claim, Mode
from jobdeck.core.life.job import Job
from jobdeck.core.refs import MalformedRef, ObjectRef
from jobdeck.storage import places
from jobdeck.store.garbage import Doomed, Kind
from jobdeck.store.jobs.removal import claims_with
from jobdeck.store.sql.database import Tx

MAX_ATTEMPTS = 100
"""Attempts of a job, counted from its last, whose leftovers are looked for; others are found by the sweep."""
_TABLE = "/object:lake/"


async def of_jobs(tx: Tx, doomed: Sequence[Job]) -> list[Doomed]:
    """All that may be deleted of `doomed`, whose rows are still there: what a job wrote tells where its files are."""
    written = await _tables(tx, [job.id for job in doomed if job.epoch])
    found: list[Doomed] = []
    for job in doomed:
        if not job.epoch:
            continue  # no worker ever had it
        found.append(Doomed(places.log_prefix(job.id)))
        for project, bucket, table in written.get(job.id, ()):
            found += _of_import(job, project, bucket, table)
    return found


def _of_import(job: Job, project: str, bucket: str, table: str) -> Iterator[Doomed]:
    for attempt in range(max(1, job.attempt - MAX_ATTEMPTS + 1), job.attempt + 1):
        yield Doomed(places.attempt_prefix(project, "rejects", job.id, attempt))
        if job.dirty_since and attempt >= job.dirty_since:
            yield Doomed(places.attempt_prefix(project, "plans", job.id, attempt))
            yield Doomed(places.staged_prefix(project, bucket, table, job.id, attempt), Kind.STAGED)


async def _tables(tx: Tx, ids: Sequence[int]) -> dict[int, list[tuple[str, str, str]]]:
    """Project, bucket and name of the tables that each of the jobs writes."""
    claims = await claims_with(tx, ids, _TABLE)
    return {job: list(_written(text)) for job, text in claims.items()}


def _written(claims: str) -> Iterator[tuple[str, str, str]]:
    for claim in map(Claim.from_json, json.loads(claims)):
        scope, found, rest = claim.resource.partition(_TABLE)
        if not found or claim.mode is not Mode.EXCLUSIVE or not scope.startswith("project:"):
            continue
        try:
            path = ObjectRef.parse(f"lake/{rest}").path
        except MalformedRef:
            continue
        if len(path) == 2:
            yield scope.removeprefix("project:"), path[0], path[1]
