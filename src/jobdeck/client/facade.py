"""The client: one object that gives access to everything a server offers."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from jobdeck.client.finding import resources
from jobdeck.client.http.transport import Transport
from jobdeck.client.parts import Parts
from jobdeck.client.settings import resolve
from jobdeck.wire.admin import Health, LoginLink, Me


class Client(Parts):
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
        for name, part in resources().items():
            setattr(self, name, part(self._transport))

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
