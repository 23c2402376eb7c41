"""All use cases of an installation, as one value."""

from __future__ import annotations

from jobdeck.access.sessions import Sessions
from jobdeck.access.tokens import Authenticator
from jobdeck.services.bulks import Bulks
from jobdeck.services.configurations import Configurations
from jobdeck.services.connections import Connections
from jobdeck.services.core import Core
from jobdeck.services.dry_runs import DryRuns
from jobdeck.services.environments import Environments
from jobdeck.services.events import Events
from jobdeck.services.failures import Failures
from jobdeck.services.files import Files
from jobdeck.services.health import HealthCheck
from jobdeck.services.job_details import JobDetails
from jobdeck.services.job_logs import JobLogs
from jobdeck.services.job_sides import JobSides
from jobdeck.services.jobs import Jobs
from jobdeck.services.limits import Limits
from jobdeck.services.log_window import LogWindows
from jobdeck.services.metrics import Metrics
from jobdeck.services.objects import Objects
from jobdeck.services.pauses import Pauses
from jobdeck.services.projects import Projects
from jobdeck.services.saved_views import SavedViews
from jobdeck.services.timeline import Timelines
from jobdeck.services.tokens import Tokens
from jobdeck.services.types import Types
from jobdeck.services.workers import Workers


class Services:
    """What the surfaces call. Made once per process from the parts below."""

    def __init__(self, core: Core) -> None:
        self.installation = core.installation
        self.authenticator = Authenticator(core.database)
        self.sessions = Sessions(core.database, self.authenticator, core.installation.session_days)
        self.jobs = Jobs(core)
        self.job_details = JobDetails(core, self.jobs)
        self.job_sides = JobSides(core, self.jobs)
        self.saved_views = SavedViews(core)
        self.timelines = Timelines(core, self.jobs)
        self.job_logs = JobLogs(core, self.jobs)
        self.log_windows = LogWindows(core, self.jobs)
        self.bulks = Bulks(core)
        self.failures = Failures(core)
        self.files = Files(core)
        environments = Environments(core.database, core.installation, vault=core.vault)
        self.dry_runs = DryRuns(core, self.jobs, environments)
        self.objects = Objects(core, environments)
        self.limits = Limits(core)
        self.pauses = Pauses(core)
        self.projects = Projects(core)
        self.tokens = Tokens(core)
        self.types = Types(core)
        self.workers = Workers(core)
        self.configurations = Configurations(core)
        self.connections = Connections(core)
        self.health = HealthCheck(core)
        self.metrics = Metrics(core)
        self.events = Events(core, self.jobs, self.metrics.registry)
