"""The configuration: one frozen, validated value, from environment variables over `jobdeck.toml` over the defaults."""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, ValidationError, field_validator

from jobdeck.core.errors import InvalidInput
from jobdeck.core.home import default_home
from jobdeck.core.output import complaints
from jobdeck.core.output.nearest import nearest

PREFIX = "JOBDECK_"
FILE = "jobdeck.toml"
_OTHERS = {"URL", "TOKEN", "PROJECT"}
"""Environment variables with our prefix that are the client's, not the server's."""


class InvalidConfiguration(InvalidInput, code="invalid_configuration"):
    """A setting is unknown or its value cannot be used."""


_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


def prefix_of(text: str) -> str:
    """A path prefix as `/one/or/more`, or empty; slashes around it do not matter. Raises InvalidConfiguration."""
    parts = [part for part in text.strip().strip("/").split("/") if text.strip().strip("/")]
    for part in parts:
        if not _SEGMENT.fullmatch(part) or set(part) == {"."}:
            raise InvalidConfiguration(
                f"A path prefix cannot be '{text[:100]}'.",
                field="path_prefix",
                hint="Write it like /jobdeck: letters, digits, '.', '_', '~' and '-' between slashes.",
            )
    return "".join(f"/{part}" for part in parts)


class Config(BaseModel):
    """Every setting. Named here as in `jobdeck.toml`; in the environment `JOBDECK_` and the name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home, description="Folder of the database, storage, logs and tokens.")
    host: str = Field(default="127.0.0.1", description="Address to listen on. Beyond loopback, put TLS in front.")
    port: int = Field(default=8380, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Addresses or networks of proxies whose X-Forwarded-For, -Proto, -Host and -Prefix are believed.",
    )
    path_prefix: str = Field(
        default="", description="Path below which a proxy offers it, such as /jobdeck; empty: at the root."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Names under which it may be asked (the `Host` header); empty: any."
    )
    max_connections: int = Field(
        default=5000, ge=10, le=1_000_000, description="Connections to the server at the same time, at most."
    )
    max_connections_per_address: int = Field(
        default=1000, ge=5, le=1_000_000, description="Connections of one address, at most; proxies are not bounded."
    )
    database_url: str = Field(
        default="", repr=False, description="`sqlite:///path` or `postgresql://…`; empty: SQLite in the home."
    )
    storage_url: str = Field(
        default="", description="`file:///path` or `s3://bucket/prefix`; empty: a folder in the home."
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict, repr=False, description="Options of the object storage, such as keys."
    )
    workers: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Jobs that need processes, and processes, at the same time; 0: no worker here.",
    )
    light_slots: int = Field(
        default=500, ge=0, le=10_000, description="Jobs of types that run in threads at the same time."
    )
    parallel: int = Field(
        default_factory=lambda: max(2, os.cpu_count() or 2),
        ge=1,
        le=1000,
        description="Tasks of one job at the same time, at most.",
    )
    worker_name: str = Field(default_factory=socket.gethostname, description="The name that people see of this worker.")
    memory_limit_mb: int | None = Field(
        default=None, ge=64, description="Memory of one task's process, in MiB; empty: no limit."
    )
    task_user: str = Field(
        default="",
        description="User (name or number) that tasks run as, so that they cannot read the home; needs root. "
        "Empty: the server's own.",
    )
    check_processes: int = Field(
        default=4, ge=2, le=100, description="Processes in which job types are asked; one project gets half of them."
    )
    check_seconds: float = Field(
        default=10.0, ge=0.1, le=300, description="Seconds that a job type may take to check a submission."
    )
    plan_seconds: float = Field(
        default=30.0, ge=0.1, le=3600, description="Seconds that a job type may take to plan the steps of a job."
    )
    undo_seconds: float = Field(
        default=3600.0, ge=1, le=86_400, description="Seconds that removing leftovers may take, whatever the type says."
    )
    lease_seconds: float = Field(
        default=10.0, ge=1, le=3600, description="How long a job stays with a worker that says nothing."
    )
    project_limit: int = Field(
        default=10, ge=0, description="Jobs of a project at the same time, where no other limit was set."
    )
    secret_key: str = Field(
        default="",
        repr=False,
        description="Key for the secrets of connections, 32 bytes in base64; empty: the file `secret.key` in the home.",
    )
    allowed_paths: tuple[Path, ...] = Field(
        default=(), description="Folders of the server that jobs may read files from."
    )
    allowed_endpoints: tuple[str, ...] = Field(
        default=(), description="Hosts and networks that connections may reach besides public addresses."
    )
    allow_commands: bool = Field(
        default=False, description="Whether jobs of type `command` may run programs on the workers."
    )
    keep_jobs_days: float | None = Field(
        default=None, gt=0, le=36_500, description="Days that ended jobs are kept, failed ones too; empty: for ever."
    )
    keep_events_days: float | None = Field(
        default=90.0, gt=0, le=36_500, description="Days that events are kept; empty: for ever."
    )
    max_upload_mb: int = Field(default=1024 * 1024, ge=1, description="Size of one uploaded file, in MiB, at most.")
    session_days: float = Field(
        default=14.0, gt=0, le=400, description="Days without use after which a browser has to log in again."
    )
    session_max_days: float = Field(
        default=90.0, gt=0, le=400, description="Days after which a session ends even if it is used all the time."
    )
    max_log_mb: int = Field(
        default=256, ge=1, le=1024 * 1024, description="Size of the log of one attempt of a job, in MiB, at most."
    )
    log_spool_mb: int = Field(
        default=4096,
        ge=1,
        le=1024 * 1024,
        description="Size of the log lines that wait on a worker's disk while the storage is away, in MiB, at most.",
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level of the server's own log."
    )
    log_json: bool = Field(default=False, description="The server's own log as JSON lines.")

    @field_validator("allowed_paths", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        return [p for p in value.split(os.pathsep) if p] if isinstance(value, str) else value

    @field_validator("trusted_proxies", "allowed_hosts", "allowed_endpoints", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("allowed_paths")
    @classmethod
    def _are_whole(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in value:
            if not path.is_absolute():
                raise ValueError(f"'{path}' is no whole path, such as /srv/incoming")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A name with more around it would never be the one that is asked for, and nobody would be answered."""
        for name in value:
            if not _HOST_NAME.fullmatch(name):
                raise ValueError(
                    f"'{name[:100]}' is no name alone, such as jobs.example.com, without https:// and port"
                )
        return value

    @field_validator("path_prefix")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        try:
            return prefix_of(value)
        except InvalidConfiguration as error:
            raise ValueError(f"{error.message[0].lower()}{error.message[1:].rstrip('.')}. {error.hint}") from error

    @field_validator("host")
    @classmethod
    def _is_named(cls, value: str) -> str:
        """An empty address would mean every address of the machine."""
        if not value.strip():
            raise ValueError("it is empty; name the address to listen on, such as 127.0.0.1, or 0.0.0.0 for all")
        return value.strip()

    @field_validator("storage_options", mode="before")
    @classmethod
    def _split_options(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair for pair in value.split(",") if pair.strip()]
        for number, pair in enumerate(pairs, 1):
            if "=" not in pair:  # not shown: it may be a piece of a key
                raise ValueError(f"part {number} of {len(pairs)} has no '='; write key=value,key=value")
        return dict(pair.strip().split("=", 1) for pair in pairs)

    @field_validator("keep_jobs_days", "keep_events_days", "memory_limit_mb", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def async_database_url(self) -> str:
        """The database's address with the driver that is used for it."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{quote(str(self.home.resolve() / 'jobdeck.db'))}"
        scheme, _, rest = self.database_url.partition("://")
        return f"{_DRIVERS.get(scheme, scheme)}://{rest}"

    @property
    def blobs_url(self) -> str:
        """The object storage's address."""
        return self.storage_url.rstrip("/") or (self.home.resolve() / "storage").as_uri()

    @property
    def storage_folder(self) -> Path | None:
        """The object storage's folder, where it is one."""
        return Path(unquote(urlsplit(self.blobs_url).path)) if self.blobs_url.startswith("file://") else None

    @property
    def own_folders(self) -> dict[str, str]:
        """Where it writes on this machine, by what is there."""
        database = self.sqlite_path.parent if self.sqlite_path else None
        places = {"home": self.home.resolve(), "storage": self.storage_folder, "database": database}
        return {what: str(folder) for what, folder in places.items() if folder is not None}

    @property
    def sqlite_path(self) -> Path | None:
        """The file of an SQLite database."""
        if not self.is_sqlite:
            return None
        rest = self.async_database_url.partition("://")[2].partition("?")[0]
        file = unquote(rest.partition("/")[2])
        return Path(file).absolute() if file and file != ":memory:" else None

    @property
    def forbidden_paths(self) -> tuple[str, ...]:
        """Folders and files that no job may read by path, whatever is allowed: the installation's own."""
        own = [self.home, Path(self.home / "storage")]
        if self.storage_folder is not None:
            own.append(self.storage_folder)
        if self.sqlite_path is not None:
            beside = ("", "-wal", "-shm", "-journal", ".lock")
            own += [self.sqlite_path.with_name(self.sqlite_path.name + ending) for ending in beside]
        return tuple(dict.fromkeys(os.path.realpath(path) for path in own))

    @property
    def storage_is_only_here(self) -> bool:
        """Whether the database is for many machines, and the storage a folder in the home of this one."""
        return not self.is_sqlite and not self.storage_url

    @property
    def is_sqlite(self) -> bool:
        return self.async_database_url.startswith("sqlite")


_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def load(**given: Any) -> Config:
    """The configuration: `given` (from the command line, None is left out) over environment over file over defaults.

    Raises InvalidConfiguration naming the setting and where it came from."""
    chosen = {k: v for k, v in given.items() if v is not None}
    home = Path(chosen.get("home") or os.environ.get(f"{PREFIX}HOME") or _default_home())
    settings = {**_from_file(home / FILE), **_from_environment(), **chosen, "home": home}
    try:
        config = Config.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(part for part in first["loc"] if isinstance(part, str))
        why = complaints.told(first["msg"], first.get("input")).rstrip(".")
        setting = str(first["loc"][0]) if first["loc"] else name
        raise InvalidConfiguration(
            f"Setting '{name}'{_origin(setting, chosen, home)}: {why}.",
            field=name,
            hint="docs/configuration.md says what each setting takes.",
        ) from error
    _check_scheme(config)
    _check_allowed(config)
    return config


def _origin(name: str, chosen: Mapping[str, Any], home: Path) -> str:
    """Where a setting that is wrong was read, for it may stand in several places; never its value, it may be secret."""
    if name in chosen:
        return " (command line)"
    variable = f"{PREFIX}{name.upper()}"
    if variable in os.environ:
        return f" (environment variable {variable})"
    return f" ({home / FILE})" if (home / FILE).is_file() else ""


def _default_home() -> Path:
    try:
        return default_home()
    except RuntimeError as error:  # there is neither $HOME nor an entry for the user
        raise InvalidConfiguration(
            "There is no folder for the user who starts Jobdeck.", field="home", hint="Name one with --home."
        ) from error


def _check_allowed(config: Config) -> None:
    """A folder of the installation's own is not allowed by anybody; one that contains it is, without it."""
    for allowed in config.allowed_paths:
        real = Path(os.path.realpath(allowed))
        for own in config.forbidden_paths:
            if real.is_relative_to(own):
                raise InvalidConfiguration(
                    f"Setting 'allowed_paths': {allowed} lies within {own}, which holds tokens, keys and all data.",
                    field="allowed_paths",
                    hint="Allow a folder outside of the home, the storage and the database.",
                )


def _check_scheme(config: Config) -> None:
    try:
        parts = urlsplit(config.database_url)
        if parts.netloc.count("@") > 1 or (parts.port or 0) < 0:
            raise ValueError
    except ValueError as error:
        # Without the address: what is wrong in it may be a piece of the password.
        raise InvalidConfiguration(
            "Setting 'database_url' cannot be read.",
            field="database_url",
            hint="Write @, :, / and % in the user's name and the password as %40, %3A, %2F and %25.",
        ) from error
    storage = config.storage_url.partition("://")[0]
    if config.storage_url and storage not in ("file", "s3"):
        raise InvalidConfiguration(
            f"Setting 'storage_url': '{storage}' is not supported.",
            field="storage_url",
            hint="Use file:///path or s3://bucket/prefix.",
        )
    scheme = config.async_database_url.partition("://")[0]
    if scheme not in _DRIVERS.values():
        raise InvalidConfiguration(
            f"Setting 'database_url': '{scheme}' is not supported.",
            field="database_url",
            hint="Use sqlite:/// or postgresql://.",
        )


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(
            f"{path} is not valid TOML: {error}.",
            field=FILE,
            hint='Write a setting a line, such as `port = 9000` or `worker_name = "night"`; text stands in quotes.',
        ) from error
    for name in found:
        _check_known(name, str(path))
    if "home" in found:
        raise InvalidConfiguration(
            f"Setting 'home' ({path}): the file is found by the home, so it cannot say where that is.",
            field="home",
            hint="Name it with --home or JOBDECK_HOME.",
        )
    return found


def _from_environment() -> dict[str, Any]:
    found = {}
    for variable, value in os.environ.items():
        name = variable.removeprefix(PREFIX)
        if not variable.startswith(PREFIX) or name in _OTHERS:
            continue
        _check_known(name.lower(), f"environment variable {variable}")
        found[name.lower()] = value
    return found


def _check_known(name: str, source: str) -> None:
    if name not in Config.model_fields:
        hint = nearest(name, Config.model_fields).strip() or "docs/configuration.md lists all settings."
        raise InvalidConfiguration(f"Unknown setting '{name}' ({source}).", field=name, hint=hint)
