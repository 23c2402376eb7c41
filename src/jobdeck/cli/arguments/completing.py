"""What the shell offers for an argument when Tab is pressed: what there is on the server, if that answers quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from jobdeck.cli.arguments.project import chosen
from jobdeck.core.errors import JobdeckError
from jobdeck.core.life.states import State

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

    from jobdeck.client import Client

PATIENCE = 5.0
"""Seconds that a person who pressed Tab is made to wait at most."""
MOST = 50

Offers = list[tuple[str, str]]
"""Values, each with its description."""


def states(context: CompletionContext) -> list[str]:
    """The states of jobs; behind a comma, one more of them."""
    before, comma, _ = context.incomplete.rpartition(",")
    return [f"{before}{comma}{state}" for state in State]


def types(context: CompletionContext) -> Offers:
    """The job types of the server."""
    return _asked(context, lambda client, _: ((t.name, t.description) for t in client.types.list()))


def job_ids(context: CompletionContext) -> Offers:
    """The newest jobs."""
    return _asked(context, _jobs)


def file_ids(context: CompletionContext) -> Offers:
    """The newest files of the project."""
    return _asked(
        context, lambda client, project: ((str(f.id), f.name) for f in client.files.list(project=project or "default"))
    )


def refs(context: CompletionContext) -> Offers:
    """The tables and collections of the project."""
    return _asked(
        context, lambda client, project: ((o.ref, o.kind) for o in client.objects.list(project=project or "default"))
    )


def projects(context: CompletionContext) -> Offers:
    """The projects that the token may see."""
    return _asked(context, lambda client, _: ((p.name, p.title or "") for p in client.projects.list()))


def _jobs(client: Client, project: str | None) -> Iterator[tuple[str, str]]:
    for job in client.jobs.page(project=project, limit=MOST).items:
        yield str(job.id), f"{job.state} {job.type} {job.subject or job.description or ''}".strip()


def _asked(context: CompletionContext, ask: Callable[[Client, str | None], Iterator[tuple[str, str]]]) -> Offers:
    """What the server answers; nothing where it does not, since nobody can be told."""
    from jobdeck.client import Client

    url, token, home = (_given(context, name) for name in ("url", "token", "home"))
    try:
        with Client(url, token, home, attempts=1, timeout=PATIENCE) as client:
            return list(islice(ask(client, chosen(_given(context, "project"))), MOST))
    except JobdeckError:
        return []


def _given(context: CompletionContext, name: str) -> Any:
    found = context.get(f"--{name}")
    return found.value if found is not None and found.provided else None
