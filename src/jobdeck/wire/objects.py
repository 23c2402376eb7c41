"""Files and objects (tables, collections) of a project."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jobdeck.wire.base import Instant, Response


class FileVersion(Response):
    """One content of a file that was replaced."""

    version: int
    name: str
    bytes: int
    sha256: str
    created_by: str | None = None
    created_at: Instant


class File(Response):
    """An uploaded or produced file; jobs name it `file:<id>`."""

    id: int
    project: str = ""
    name: str
    bytes: int
    sha256: str
    content_type: str | None = None
    tags: list[str] = Field(default_factory=list)
    permanent: bool = False
    created_by: str | None = None
    created_at: Instant
    expires_at: Instant | None = Field(default=None, description="None for a permanent file.")
    jobs: list[int] = Field(default_factory=list, description="Ids of the jobs that read or made it.")
    version: int = Field(default=1, description="More than 1 where its content was replaced.")
    versions: list[FileVersion] = Field(
        default_factory=list, description="Of a file that was replaced: its contents, newest first, this one too."
    )


class Column(Response):
    """A column or field. Vector fields have a dimension, and a metric and index where they are indexed."""

    name: str
    type: str
    nullable: bool = True
    key: bool = False
    dimension: int | None = None
    metric: str | None = None
    index: str | None = None


class ObjectVersion(Response):
    """A state that an object had after a write."""

    version: str
    at: Instant | None = None
    operation: str | None = None
    job: int | None = None
    by: str | None = None
    rows: int | None = None
    bytes: int | None = None


class TableObject(Response):
    """A table or collection. Lists give name and sizes; showing one object gives its columns and versions too."""

    ref: str
    kind: str = Field(description="`table`, `collection`, …")
    columns: list[Column] = Field(default_factory=list)
    rows: int | None = None
    bytes: int | None = None
    version: str | None = Field(default=None, description="The current version.")
    updated_at: Instant | None = None
    versions: list[ObjectVersion] = Field(default_factory=list, description="Newest first.")


class Rows(Response):
    """Some rows of an object, for a look; a row maps column names to values."""

    columns: list[Column] = Field(default_factory=list)
    items: list[dict[str, Any]]
    version: str | None = None
    next: str | None = Field(default=None, description="The cursor of the rows behind these; null at the end.")
