"""Which project a request is about, and whether it exists for the one who asks."""

from __future__ import annotations

import re

from jobdeck.access.caller import Caller
from jobdeck.core.errors import NotFound
from jobdeck.store import projects
from jobdeck.store.projects import StoredProject
from jobdeck.store.views import Reader

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


async def project(connection: Reader, caller: Caller, name: str, field: str = "project") -> StoredProject:
    """The project called `name`; raises NotFound where there is none or the caller may not see it."""
    found = await projects.by_name(connection, name) if NAME.fullmatch(name) else None
    if found is None or not caller.sees(found.id):
        raise NotFound(f"There is no project '{name[:100]}'.", field=field, hint="GET /api/v1/projects lists them.")
    return found


async def names(connection: Reader) -> dict[int, str]:
    """The names of all projects, by id."""
    return {p.id: p.name for p in await projects.all_projects(connection)}
