"""The client: one object that gives access to everything a server offers."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from jobdeck.client.admin import Configurations, Connections, Projects, Sessions, Tokens, Types, Workers
from jobdeck.client.bulk import BulkOperations
from jobdeck.client.events import Events
from jobdeck.client.failures import Failures
from jobdeck.client.files import Files
from jobdeck.client.http.transport import Transport
from jobdeck.client.jobs import Jobs
from jobdeck.client.objects import Objects
from jobdeck.client.rejects import Rejects
from jobdeck.client.rules import Limits, Pauses
from jobdeck.client.saved_views import SavedViews
from jobdeck.client.settings import resolve
from jobdeck.wire.admin import Health, LoginLink, Me


class Client:
    """Talks to a Jobdeck server; blocking, and safe to use from several threads.

    `url`: else `JOBDECK_URL`, else this machine. `token`: else `JOBDECK_TOKEN`, else the administrator's token in
    `home` (else `JOBDECK_HOME`, else `~/.jobdeck`). What is asked without `project=` is about the project in
    `JOBDECK_PROJECT`, else about `default`. `timeout`: seconds one answer may take. `attempts`: tries of a
    request when the connection breaks; writes carry an idempotency key, so none is done twice."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        home: str | Path | None = None,
        timeout: float = 30.0,
        *,
        attempts: int = 4,
    ) -> None:
        self._transport = Transport(resolve(url, token, home), timeout, attempts)
        self.jobs = Jobs(self._transport)
        self.rejects = Rejects(self._transport)
        self.bulk = BulkOperations(self._transport)
        self.failures = Failures(self._transport)
        self.files = Files(self._transport)
        self.objects = Objects(self._transport)
        self.events = Events(self._transport)
        self.projects = Projects(self._transport)
        self.tokens = Tokens(self._transport)
        self.sessions = Sessions(self._transport)
        self.limits = Limits(self._transport)
        self.pauses = Pauses(self._transport)
        self.workers = Workers(self._transport)
        self.types = Types(self._transport)
        self.views = SavedViews(self._transport)
        self.configurations = Configurations(self._transport)
        self.connections = Connections(self._transport)

    @property
    def url(self) -> str:
        return self._transport.settings.url

    def health(self) -> Health:
        """Whether the server serves, its version, and how its parts are; also of one that cannot serve just now."""
        return self._transport.state(Health, "/health")

    def me(self) -> Me:
        """Who the token speaks for."""
        return self._transport.get(Me, "/me")

    def login_link(self) -> LoginLink:
        """A link that logs a browser in as the token's owner, once and within an hour."""
        return self._transport.post(LoginLink, "/login-links")

    def close(self) -> None:
        """Close the connections; also done at the end of a `with` block."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
