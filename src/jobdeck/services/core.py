"""What all services stand on, handed over by wiring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobdeck.access.vault import Vault
from jobdeck.core.registry import TypeRegistry
from jobdeck.engine.control import Control
from jobdeck.engine.feed import Feed
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.log_store import LogStore
from jobdeck.engine.loops import LoopState
from jobdeck.engine.planned import Plans
from jobdeck.engine.preview import Previewer
from jobdeck.engine.scheduling.world import DEFAULT_PROJECT_LIMIT, WORKER_SILENCE
from jobdeck.engine.submitting.submit import Submitter
from jobdeck.services.masking import Masker, ParamVault
from jobdeck.storage.blobs import Blobs
from jobdeck.store.sql.database import Database


@dataclass(frozen=True, slots=True)
class Installation:
    """The settings that services show or use."""

    version: str
    storage_url: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_paths: tuple[str, ...] = ()
    allowed_endpoints: tuple[str, ...] = ()
    forbidden_paths: tuple[str, ...] = ()
    own_folders: Mapping[str, str] = field(default_factory=dict)
    """Where this process and the installation write on this machine, by what is there."""
    storage_is_only_here: bool = False
    """Whether the database is for many machines, and the storage a folder in the home of this one."""
    project_limit: int | None = DEFAULT_PROJECT_LIMIT
    """Jobs of a project that run at the same time where no limit was set; None is without bound."""
    worker_silence: float = WORKER_SILENCE
    """Seconds without a sign of life after which a worker does not count as live."""
    max_upload: int = 1 << 40
    """Bytes of one uploaded file, at most."""
    session_days: float = 14.0
    """Days without use after which a browser has to log in again."""
    session_max_days: float = 90.0
    """Days after which it has to in any case."""


@dataclass(frozen=True, slots=True)
class Core:
    """The parts of an installation below the services."""

    database: Database
    registry: TypeRegistry
    blobs: Blobs
    submitter: Submitter
    control: Control
    feed: Feed
    logs: LogStore
    installation: Installation
    garbage: GarbageCollector
    vault: Vault | None = None
    """Keeps secrets; without one, none can be stored."""
    previews: Previewer = field(default_factory=Previewer)
    """Asks job types what they would do."""
    plans: Plans = field(default_factory=Plans)
    """Tells which steps jobs are to have."""
    loop_states: dict[str, LoopState] = field(default_factory=dict)
    """How what runs in the background of this process is, by name; filled when it is started."""
    broken_connectors: Mapping[str, str] = field(default_factory=dict)
    """Kinds of connectors that could not be loaded, each with the reason."""

    def seals(self) -> ParamVault:
        """Keeps the secrets among parameters."""
        return ParamVault(Masker(self.registry), self.vault)


class OfCore:
    """Use cases that need these parts and nothing else."""

    def __init__(self, core: Core) -> None:
        self._core = core
