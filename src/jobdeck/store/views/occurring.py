"""Which types and categories of jobs occur: what a filter offers, whether or not a job type is still installed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import jobs
from jobdeck.store.segments.archive import Segment
from jobdeck.store.segments.asking import SegmentSnapshot
from jobdeck.store.segments.layout import Column, Facet, key_of
from jobdeck.store.segments.matching import Among

NEWEST = 128
"""Segments that are looked through for the types of some projects: the last two million jobs."""


@dataclass(frozen=True, slots=True)
class Occurring:
    """Names in order."""

    types: list[str]
    categories: list[str]


async def occurring(
    connection: AsyncConnection,
    sealed: SegmentSnapshot,
    parts: Sequence[ColumnElement[bool]],
    project_ids: tuple[int, ...] | None,
) -> Occurring:
    """The names that jobs of these projects (None: of all) have; `parts` are the rows of which no segment tells."""
    found: set[tuple[str, str]] = set()
    query = select(jobs.c.type, jobs.c.category).distinct()
    if project_ids is not None:
        query = query.where(jobs.c.project_id.in_(project_ids))
    for part in parts:
        found |= {(row.type, row.category) for row in await connection.execute(query.where(part))}
    types, categories = {name for name, _ in found}, {name for _, name in found}
    if project_ids is None:
        types |= {name for segment in sealed.segments for name in segment.types}
        categories |= {name for segment in sealed.segments for name in segment.categories}
        return Occurring(sorted(types), sorted(categories))
    newest = sealed.segments[:NEWEST]
    columns = await sealed.archive.columns(connection, newest, ("state", "project", "type", "category"))
    for names in await asyncio.to_thread(lambda: [_of_projects(s, columns[s.number], project_ids) for s in newest]):
        types |= names["type"]
        categories |= names["category"]
    return Occurring(sorted(types), sorted(categories))


def _of_projects(segment: Segment, columns: Mapping[str, Column], project_ids: tuple[int, ...]) -> dict[str, set[str]]:
    mine = Among("project", project_ids).mask(columns, segment.first) & (columns["state"] != 0)
    known = {"type": segment.types, "category": segment.categories}
    found: dict[str, set[str]] = {}
    for name, words in known.items():
        facet = columns[name]
        assert isinstance(facet, Facet)
        there = {int(key) for key in facet.keys[np.unique(facet.codes[mine])]}
        found[name] = {word for word in words if key_of(word) in there}
    return found
