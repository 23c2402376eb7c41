"""All use cases of an installation, each asked for by its class."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any, TypeVar, get_type_hints

from jobdeck.access.caller import Authenticator
from jobdeck.access.sessions import BrowserSessions
from jobdeck.services.admin.metrics import Metrics
from jobdeck.services.admin.projects import Projects
from jobdeck.services.admin.tokens import Tokens
from jobdeck.services.admin.types import Types
from jobdeck.services.admin.workers import Workers
from jobdeck.services.core import Core
from jobdeck.services.data.configurations import Configurations
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
from jobdeck.services.jobs.output.log_window import LogWindows
from jobdeck.services.jobs.output.logs import JobLogs
from jobdeck.services.jobs.output.rejects import JobRejects
from jobdeck.services.jobs.related import RelatedJobs
from jobdeck.services.jobs.saved_views import SavedViews
from jobdeck.services.jobs.timeline import Timelines

S = TypeVar("S")


class NotMakable(TypeError):
    """A class was asked for as a service whose constructor wants something that no service can be given."""


class Services:
    """What the surfaces call. `of` gives the one service of a class; a new service is named nowhere.

    The attributes are services of old standing, by the names that pages and routes use."""

    def __init__(self, core: Core) -> None:
        self.installation = core.installation
        self.authenticator = Authenticator(core.database)
        self.sessions = BrowserSessions(
            core.database, self.authenticator, core.installation.session_days, core.installation.session_max_days
        )
        environments = Environments(core.database, core.installation, vault=core.vault)
        given = (core, self.authenticator, self.sessions, environments)
        self._made: dict[type[Any], Any] = {type(part): part for part in given}
        self.jobs = self.of(Jobs)
        self.job_details = self.of(JobDetails)
        self.job_claims = self.of(JobClaims)
        self.related_jobs = self.of(RelatedJobs)
        self.saved_views = self.of(SavedViews)
        self.timelines = self.of(Timelines)
        self.job_logs = self.of(JobLogs)
        self.job_rejects = self.of(JobRejects)
        self.log_windows = self.of(LogWindows)
        self.bulks = self.of(Bulks)
        self.failures = self.of(Failures)
        self.files = self.of(Files)
        self.dry_runs = self.of(DryRuns)
        self.objects = self.of(Objects)
        self.projects = self.of(Projects)
        self.tokens = self.of(Tokens)
        self.types = self.of(Types)
        self.workers = self.of(Workers)
        self.configurations = self.of(Configurations)
        self.metrics = self.of(Metrics)
        self.events = self.of(Events)

    def of(self, service: type[S]) -> S:
        """The service of this class: made when it is first asked for, and kept. Its constructor is given `Core` and
        other services, by the classes of its parameters; those with a default keep it. Raises NotMakable."""
        if service not in self._made:
            self._made[service] = service(**{name: self.of(part) for name, part in _needs(service).items()})
        made: S = self._made[service]
        return made


def _needs(service: type[Any]) -> dict[str, type[Any]]:
    """The classes of what its constructor must be given, by parameter; of Jobdeck's own services alone."""
    if not service.__module__.startswith("jobdeck.services."):
        raise NotMakable(f"{service.__module__}.{service.__qualname__} is no service: it is not in jobdeck.services.")
    hints = get_type_hints(service.__init__)
    wanted = signature(service).parameters.values()
    return {parameter.name: hints[parameter.name] for parameter in wanted if parameter.default is Parameter.empty}
