"""What a client has, typed. Made by `make tables` of the modules here; a test sees when it is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobdeck.client.admin.limits import Limits
    from jobdeck.client.admin.pauses import Pauses
    from jobdeck.client.admin.projects import Projects
    from jobdeck.client.admin.sessions import Sessions
    from jobdeck.client.admin.tokens import Tokens
    from jobdeck.client.admin.types import Types
    from jobdeck.client.admin.workers import Workers
    from jobdeck.client.bulk import BulkOperations
    from jobdeck.client.data.configurations import Configurations
    from jobdeck.client.data.connections import Connections
    from jobdeck.client.data.files import Files
    from jobdeck.client.data.objects import Objects
    from jobdeck.client.events import Events
    from jobdeck.client.failures import Failures
    from jobdeck.client.jobs import Jobs
    from jobdeck.client.rejects import Rejects
    from jobdeck.client.views import SavedViews


class Parts:
    """The parts of a client; their values are found when one is made (`finding.py`)."""

    bulk: BulkOperations
    configurations: Configurations
    connections: Connections
    events: Events
    failures: Failures
    files: Files
    jobs: Jobs
    limits: Limits
    objects: Objects
    pauses: Pauses
    projects: Projects
    rejects: Rejects
    sessions: Sessions
    tokens: Tokens
    types: Types
    views: SavedViews
    workers: Workers
