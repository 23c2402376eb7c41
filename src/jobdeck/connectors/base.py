"""The words all connectors share: what they can do, what they tell of an object, and how batches travel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from jobdeck.core.values import Json


class Untestable(InvalidInput, code="untestable"):
    """The connector cannot look whether its place answers."""


MAX_BATCH = 8 * 1024 * 1024
"""Bytes of Arrow memory in one batch, about; the unit of all streaming."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a system can do; strategies are chosen from this, never from its name."""

    read: bool = False
    write: bool = False
    partition: bool = False
    """A read splits into parts that tasks can do at the same time."""
    resume_read: bool = False
    """A part can be read on from a cursor."""
    upsert: bool = False
    rename: bool = False
    transactional: bool = False
    """What one job wrote becomes visible all at once, and a repeat of that changes nothing."""


class DataColumn(BaseModel):
    """A column as people read it."""

    name: str
    type: str
    nullable: bool = True


class Description(BaseModel):
    """What a source tells of its object. `fingerprint` changes when the content does."""

    object: str
    columns: list[DataColumn]
    key: list[str] = Field(default_factory=list)
    rows: int | None = None
    bytes: int | None = None
    fingerprint: str = ""


class SourcePart(BaseModel):
    """A piece of a read that one task does; `detail` is the connector's own."""

    index: int
    rows: int | None = None
    bytes: int | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that does not fit: `row` counts data rows from 1; `line` is the line of the file where known."""

    file: str
    row: int
    column: str | None
    value: str | None
    reason: str
    line: int | None = None
    name: str | None = None
    """The name that a project file was uploaded under; `file` is then `file:<id>`."""

    def to_json(self) -> dict[str, Json]:
        return {
            "file": self.file,
            **({} if self.name is None else {"name": self.name}),
            "row": self.row,
            "line": self.line,
            "column": self.column,
            "value": self.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Read:
    """One batch in the wanted schema. The part can be read on from `cursor`, after this batch.

    `rows` and `bytes` count what was consumed of the source, rejected rows included; `unit` names the source file."""

    batch: pa.RecordBatch
    cursor: Json
    rows: int
    bytes: int
    rejects: list[Reject] = field(default_factory=list)
    unit: str = ""
    unit_name: str | None = None
    """What people call the source file, where that is not `unit`."""


class Source(Protocol):
    """Reads one object."""

    def describe(self) -> Description: ...

    def schema(self) -> pa.Schema:
        """The object's columns in the types that `read` gives without further wishes."""
        ...

    def parts(self, size: int) -> list[SourcePart]:
        """Pieces of about `size` bytes that together are the whole object, each row in exactly one."""
        ...

    def read(self, part: SourcePart, cursor: Json = None, schema: pa.Schema | None = None) -> Iterator[Read]:
        """Batches of at most about MAX_BATCH bytes, from `cursor` on, cast without loss to `schema`."""
        ...


class StagedFile(BaseModel):
    """A chunk that was written and is not visible; `path` is relative to the object's folder."""

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Whose write it is. (job, attempt) is published or undone whole; the epoch keeps a dead task's files apart.

    `origin` tells the job from another of the same number, as there is after a reset of the control database: what was
    published under another origin is never taken back."""

    job: int
    attempt: int
    epoch: int = 0
    task: int = 0
    origin: str = ""
    part: str = ""
    """One of several writes of the attempt into the same object, each of which is published by itself."""

    @property
    def folder(self) -> str:
        return "-".join(filter(None, (str(self.job), str(self.attempt), self.part)))


class ChunkWriter(Protocol):
    """One chunk being written; nothing counts before `close` returned."""

    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def write(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> StagedFile: ...
    def abort(self) -> None: ...


class Published(BaseModel):
    """What became visible. `repeated`: it already was, and nothing was done."""

    version: int | None = None
    rows: int = 0
    repeated: bool = False


class Sink(Protocol):
    """Writes one object: chunks beside it, then all of them at once into it."""

    def stage(self, stamp: Stamp, chunk: int, schema: pa.Schema) -> ChunkWriter: ...

    def publish(
        self, stamp: Stamp, staged: list[StagedFile], schema: pa.Schema, mode: str, key: list[str]
    ) -> Published:
        """Make `staged` visible, all or none; `mode` is append, replace or upsert. Repeating it changes nothing."""
        ...

    def discard(self, stamp: Stamp) -> None:
        """Remove what this attempt staged, take back what it published, and see that it never publishes again.

        Raises AlreadyPublished, leaving what is visible as it is, when others have built upon it. Safe to repeat."""
        ...


class Connector(ABC):
    """One kind of system. Subclasses are found by the registry under `kind`."""

    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Config: ClassVar[type[BaseModel]]

    @abstractmethod
    def source(self, environment: Environment, options: dict[str, Any], path: tuple[str, ...]) -> Source: ...

    @abstractmethod
    def sink(self, environment: Environment, options: dict[str, Any], path: tuple[str, ...]) -> Sink: ...

    def shaped(self, options: dict[str, Any], secrets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options and secrets as the connector takes them, from how a person would write them. Raises InvalidInput."""
        return options, secrets

    def plain_name(self, name: str) -> str:
        """Options whose plain names are equal are one option, written in two ways."""
        return name

    def leads_to(self, options: dict[str, Any]) -> Any:
        """The address among the options: where it changes, secrets have to be typed again. Unless a connector knows
        better, all of them are."""
        return options

    def look(self, environment: Environment, options: dict[str, Any]) -> str:
        """Whether the place answers with these options, secrets among them: a sentence of what is there. Raises what is
        wrong. It runs in a process of its own that is killed when it takes too long."""
        raise Untestable(f"Connections of kind '{self.kind}' cannot be tested.", hint="Run a job that uses it.")

    def check_options(self, options: dict[str, Any], allowed_endpoints: Sequence[str]) -> None:  # noqa: B027  (optional)
        """Raise InvalidInput for options, secrets among them, that cannot work; asked when a connection is made.

        `allowed_endpoints`: addresses besides public ones that the installation allows connections to reach."""


def batch_rows(metadata: pq.FileMetaData) -> int:
    """How many rows of this file make a batch of at most about MAX_BATCH bytes."""
    size = sum(metadata.row_group(g).total_byte_size for g in range(metadata.num_row_groups))
    wide = max(1, 4 * size // max(1, metadata.num_rows))
    return int(max(1, min(65_536, MAX_BATCH // wide)))
