"""Projects, tokens, limits, workers, connections, configurations, and what the server says about itself."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from jobdeck.wire.base import MAX_ID, Instant, Name, Request, Response, Text

Role = Literal["viewer", "operator", "admin"]
_PROJECT_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"


def _project_name(value: object) -> object:
    """The rule in words, before the pattern tells it to programs."""
    if isinstance(value, str) and not re.fullmatch(_PROJECT_NAME, value):
        raise ValueError("a project's name has up to 63 lower-case letters, digits, - and _, a letter or digit first")
    return value


ProjectName = Annotated[str, BeforeValidator(_project_name), StringConstraints(pattern=_PROJECT_NAME)]


class Health(Response):
    """That the server serves; for those whom it knows, also its version and how its parts are."""

    status: str
    version: str | None = None
    parts: dict[str, Any] = Field(default_factory=dict)


class Me(Response):
    """Who the token in use speaks for."""

    name: str = Field(description="The principal's whole name; nobody else has it, or one that looks like it.")
    id: int | None = Field(default=None, description="The principal's id.")
    token: int | None = Field(default=None, description="The id of the token in use.")
    role: str
    project: str | None = Field(default=None, description="None: all projects.")
    expires_at: Instant | None = None


class LoginLink(Response):
    """A link that logs a browser in, once."""

    url: str = Field(repr=False)
    expires_at: Instant


class Session(Response):
    """A browser that is logged in as the principal who asks."""

    id: str = Field(description="Names it and opens nothing.")
    token: str = Field(description="The label of the token that it acts for.")
    address: str | None = Field(default=None, description="From where it was begun.")
    agent: str | None = Field(default=None, description="What the browser calls itself.")
    created_at: Instant
    last_seen_at: Instant
    ends_at: Instant = Field(description="When it ends if it is not used any more.")
    current: bool = Field(description="It is the session that asks.")


class Project(Response):
    """A room of its own for jobs, objects, files, connections and limits."""

    name: str
    title: str = ""
    weight: float = Field(default=1.0, description="Its part of the workers, relative to the other projects'.")
    created_at: Instant | None = None


class ProjectRequest(Request):
    """A project to make."""

    name: ProjectName
    title: Text | None = None
    weight: float = Field(default=1.0, gt=0, le=1000)


class ProjectChange(Request):
    """What is to change of a project; what is left out stays."""

    title: Text | None = None
    weight: float | None = Field(default=None, gt=0, le=1000)


class Token(Response):
    """An access token, without its secret."""

    id: int
    name: str = Field(description="A label; who acts is `principal`.")
    principal: str | None = Field(default=None, description="The whole name of the principal whom it speaks for.")
    role: str
    project: str | None = Field(default=None, description="None: all projects.")
    created_by: str | None = None
    created_at: Instant
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None
    sessions: int = Field(default=0, description="Browsers that are logged in with it; they are logged out with it.")


class NewToken(Token):
    """The answer to making a token: the only time its secret is shown."""

    token: str = Field(repr=False)


class TokenRequest(Request):
    """A token to make, for a new principal of this name unless `for` says whose it is."""

    name: Name
    whose: Name | None = Field(
        default=None, alias="for", description="The whole name of the principal that is to have one more token."
    )
    role: Role
    project: ProjectName | None = None
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class Limit(Response):
    """The capacity of a resource, what is held of it now, and by which jobs."""

    resource: str
    capacity: int | None = Field(default=None, description="None: no limit is set.")
    used: int = 0
    holders: list[int] = Field(default_factory=list)


class LimitRequest(Request):
    """The capacity to set."""

    capacity: int = Field(ge=0, le=MAX_ID)
    as_written: bool = Field(
        default=False, description="Of a project's resource: the name is right though nothing goes by it so far."
    )


class Worker(Response):
    """A process that runs jobs."""

    id: str
    name: str = ""
    host: str = ""
    state: str = Field(description="`live`, `draining` or `gone`.")
    version: str | None = None
    slots: int = Field(default=0, description="Jobs that need processes that it runs at the same time.")
    light_slots: int = Field(default=0, description="Jobs that run in threads that it runs at the same time.")
    running: list[int] = Field(default_factory=list, description="Ids of the jobs it holds.")
    types: list[str] = Field(default_factory=list)
    shortage: str | None = Field(
        default=None, description="What keeps it from starting tasks just now: no files, memory, processes or threads."
    )
    started_at: Instant | None = None
    seen_at: Instant | None = None


class Connection(Response):
    """A system that jobs read from or write to."""

    name: str
    kind: str
    options: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Any] = Field(default_factory=dict, description="Which there are; their values are masked.")
    description: str | None = None
    created_at: Instant | None = None


class ConnectionRequest(Request):
    """A connection to make."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    kind: Name = Field(description="An installed connector.")
    options: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="Put among the options for the tasks of jobs, and never shown."
    )


class ConnectionChange(Request):
    """What is to change of a connection; what is left out stays, and null takes an option or a secret out."""

    options: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="Have to be given again where the address changes."
    )


class ConnectionTest(Response):
    """Whether the place that a connection leads to answers."""

    ok: bool
    text: str = Field(description="What is there, or what is wrong.")
    hint: str | None = None
    code: str | None = Field(default=None, description="Of the error, where it does not answer.")
    seconds: float


class Configuration(Response):
    """A saved, versioned set of parameters of one job type."""

    id: int
    project: str = ""
    name: str
    type: str
    params: dict[str, Any] = Field(default_factory=dict)
    version: int = 1
    created_by: str | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None


class ConfigurationRequest(Request):
    """A configuration to save."""

    name: Name
    type: Name
    params: dict[str, Any] = Field(default_factory=dict)


class TypeInfo(Response):
    """A job type that can be run here."""

    name: str
    category: str
    description: str = ""
    params_schema: dict[str, Any] = Field(default_factory=dict, description="JSON schema of `params`.")
    isolation: str = "process"
    enabled: bool = True
    broken: str | None = Field(default=None, description="Why it could not be loaded; no job of it can be submitted.")
