"""All use cases of an installation, as one value."""

from __future__ import annotations

from jobdeck.access.sessions import BrowserSessions
from jobdeck.access.tokens import Authenticator
from jobdeck.services.admin.health import HealthCheck
from jobdeck.services.admin.history import History
from jobdeck.services.admin.limits import Limits
from jobdeck.services.admin.metrics import Metrics
from jobdeck.services.admin.pauses import Pauses
from jobdeck.services.admin.projects import Projects
from jobdeck.services.admin.tokens import Tokens
from jobdeck.services.admin.types import Types
from jobdeck.services.admin.workers import Workers
from jobdeck.services.core import Core
from jobdeck.services.data.configurations import Configurations
from jobdeck.services.data.connection_tests import TestableConnections
from jobdeck.services.data.environments import Environments
from jobdeck.services.data.files import Files
from jobdeck.services.data.objects import Objects
from jobdeck.services.events import Events
from jobdeck.services.failures import Failures
from jobdeck.services.jobs.bulks import Bulks
from jobdeck.services.jobs.claims import JobClaims
from jobdeck.services.jobs.details import JobDetails
from jobdeck.services.jobs.dry_runs import DryRuns
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.services.jobs.output.log_places import LogPlaces
from jobdeck.services.jobs.output.log_window import LogWindows
from jobdeck.services.jobs.output.logs import JobLogs
from jobdeck.services.jobs.output.rejects import JobRejects
from jobdeck.services.jobs.related import RelatedJobs
from jobdeck.services.jobs.saved_views import SavedViews
from jobdeck.services.jobs.timeline import Timelines


class Services:
    """What the surfaces call. Made once per process from the parts below."""

    def __init__(self, core: Core) -> None:  # noqa: PLR0915  (a list of all there are)
        self.installation = core.installation
        self.authenticator = Authenticator(core.database)
        self.sessions = BrowserSessions(
            core.database, self.authenticator, core.installation.session_days, core.installation.session_max_days
        )
        self.jobs = Jobs(core)
        self.job_details = JobDetails(core, self.jobs)
        self.job_claims = JobClaims(core, self.jobs)
        self.related_jobs = RelatedJobs(core, self.jobs)
        self.saved_views = SavedViews(core)
        self.timelines = Timelines(core, self.jobs)
        reading = LogPlaces()
        self.job_logs = JobLogs(core, self.jobs, reading)
        self.job_rejects = JobRejects(core, self.jobs)
        self.log_windows = LogWindows(core, self.jobs, reading)
        self.bulks = Bulks(core)
        self.failures = Failures(core)
        self.files = Files(core)
        environments = Environments(core.database, core.installation, vault=core.vault)
        self.dry_runs = DryRuns(core, self.jobs, environments)
        self.objects = Objects(core, environments)
        self.limits = Limits(core, environments)
        self.pauses = Pauses(core)
        self.projects = Projects(core)
        self.tokens = Tokens(core)
        self.types = Types(core)
        self.workers = Workers(core)
        self.configurations = Configurations(core)
        self.connections = TestableConnections(core, environments)
        self.history = History(core)
        self.health = HealthCheck(core)
        self.metrics = Metrics(core)
        self.events = Events(core, self.jobs, self.metrics.registry)
