"""What people call the project files that a job's one line speaks of: their names, looked up when it is submitted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jobdeck.core.refs import shown, with_id
from jobdeck.core.values import clip
from jobdeck.store import files
from jobdeck.store.jobs.submissions import NewJob
from jobdeck.store.sql.database import Database

_FILE = re.compile(r"(?<![\w:/(])file:(\d{1,18})(?!\w)")
MOST = 1000
"""Characters of a description or subject with names, at most."""


async def with_names(database: Database, new: Sequence[NewJob], typed: Sequence[bool]) -> list[NewJob]:
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
        return _FILE.sub(lambda m: _shown(m, names.get((job.project_id, int(m[1])))), text)

    subject = clip(put(job.subject), MOST) if job.subject else job.subject
    description = clip(put(job.description), 500) if whole else job.description
    return job._replace(subject=subject, description=description)


def _shown(found: re.Match[str], name: str | None) -> str:
    return found[0] if name is None else with_id(shown(name), found[0])
