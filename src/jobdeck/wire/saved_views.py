"""Saved views of the page of jobs: a name for filters, order, columns and density."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from jobdeck.wire.admin import ProjectName
from jobdeck.wire.base import Instant, Name, Request, Response, storable

MAX_QUERY = 4000
_QUERY = re.compile(r"[^\s#?]*")


def _query(text: str) -> str:
    """Without the question mark in front of it."""
    bare = text.removeprefix("?")
    if not _QUERY.fullmatch(bare):
        raise ValueError("a query string such as state=failed&since=1d is wanted, encoded as in an address")
    return storable(bare)


QueryString = Annotated[str, StringConstraints(max_length=MAX_QUERY), AfterValidator(_query)]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Density = Literal["compact", "comfortable"]


class SavedView(Response):
    """A view, as the one who asks sees it."""

    id: int
    name: str
    query: str = Field(default="", description="The query string of the page of jobs.")
    columns: list[str] | None = Field(default=None, description="The columns that are shown, in order; None: as usual.")
    density: Density | None = None
    project: str | None = Field(default=None, description="The project in which it is shared; None: one's own.")
    shared: bool = False
    created_by: str | None = None
    mine: bool = Field(default=True, description="Whether the one who asks made it.")
    editable: bool = Field(default=True, description="Whether the one who asks may change and delete it.")
    created_at: Instant
    updated_at: Instant


class SavedViewRequest(Request):
    """A view to save, whole."""

    name: Name
    query: QueryString = ""
    columns: list[ColumnName] | None = Field(default=None, min_length=1, max_length=50)
    density: Density | None = None
    project: ProjectName | None = Field(default=None, description="Share it in this project; left out: one's own.")
