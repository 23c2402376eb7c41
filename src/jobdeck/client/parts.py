"""What a client has, typed. Made by `make tables` of the modules here; a test sees when it is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobdeck.client.admin.limits import LimitsResource
    from jobdeck.client.admin.pauses import PausesResource
    from jobdeck.client.admin.projects import ProjectsResource
    from jobdeck.client.admin.sessions import SessionsResource
    from jobdeck.client.admin.tokens import TokensResource
    from jobdeck.client.admin.types import TypesResource
    from jobdeck.client.admin.workers import WorkersResource
    from jobdeck.client.bulk import BulkOperationsResource
    from jobdeck.client.data.configurations import ConfigurationsResource
    from jobdeck.client.data.connections import ConnectionsResource
    from jobdeck.client.data.files import FilesResource
    from jobdeck.client.data.objects import ObjectsResource
    from jobdeck.client.events import EventsResource
    from jobdeck.client.failures import FailuresResource
    from jobdeck.client.jobs import JobsResource
    from jobdeck.client.rejects import RejectsResource
    from jobdeck.client.views import SavedViewsResource


class Parts:
    """The parts of a client; their values are found when one is made (`finding.py`)."""

    bulk: BulkOperationsResource
    configurations: ConfigurationsResource
    connections: ConnectionsResource
    events: EventsResource
    failures: FailuresResource
    files: FilesResource
    jobs: JobsResource
    limits: LimitsResource
    objects: ObjectsResource
    pauses: PausesResource
    projects: ProjectsResource
    rejects: RejectsResource
    sessions: SessionsResource
    tokens: TokensResource
    types: TypesResource
    views: SavedViewsResource
    workers: WorkersResource
