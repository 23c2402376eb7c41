"""Which children jobs of a selection have that are not in it: deleting those jobs would take them along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import CTE, ColumnElement, Select, case, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.family import by_state
from jobdeck.core.life.states import ENDED, State
from jobdeck.store.schema import bulk_items, jobs

_ENDED = tuple(str(s) for s in sorted(ENDED))


@dataclass(frozen=True, slots=True)
class Along:
    """Children that would go with the jobs of a bulk, however deep: how many, by state, and which."""

    ids: Sequence[int]
    states: dict[str, int]


def below(bulk_id: int) -> CTE:
    """Each job of the bulk that has children, as `root`, with each of those and theirs."""
    child = jobs.alias("child")
    parent = jobs.alias("parent")
    first = (
        select(bulk_items.c.job_id.label("root"), child.c.id, child.c.state, child.c.has_children)
        .join(parent, (parent.c.id == bulk_items.c.job_id) & parent.c.has_children)
        .join(child, child.c.parent_id == parent.c.id)
        .where(bulk_items.c.bulk_id == bulk_id, bulk_items.c.outcome.is_(None), bulk_items.c.along.is_(False))
        .cte("below", recursive=True)
    )
    deeper = jobs.alias("deeper")
    step = select(first.c.root, deeper.c.id, deeper.c.state, deeper.c.has_children).join(
        deeper, (deeper.c.parent_id == first.c.id) & first.c.has_children
    )
    return first.union_all(step)


def standing(bulk_id: int, family: CTE) -> CTE:
    """Of each job of the bulk that has children: whether some have not ended, and whether some are not in the bulk."""
    return (
        select(
            family.c.root,
            func.max(case((family.c.state.in_(_ENDED), 0), else_=1)).label("unended"),
            func.max(case((_named(bulk_id, family), 0), else_=1)).label("outside"),
        )
        .group_by(family.c.root)
        .cte("standing")
    )


def _named(bulk_id: int, family: CTE) -> ColumnElement[bool]:
    return exists().where(bulk_items.c.bulk_id == bulk_id, bulk_items.c.job_id == family.c.id)


async def along(connection: AsyncConnection, bulk_id: int) -> Along:
    """The children that are not in the bulk, of jobs that can be deleted but for them."""
    found = (await connection.execute(_outside(bulk_id))).all()
    return Along([row.id for row in found], by_state(State(row.state) for row in found))


def _outside(bulk_id: int) -> Select[tuple[int, str]]:
    family = below(bulk_id)
    judged = standing(bulk_id, family)
    root = jobs.alias("root_job")
    return (
        select(family.c.id, family.c.state)
        .join(judged, judged.c.root == family.c.root)
        .join(root, root.c.id == family.c.root)
        .where(judged.c.unended == 0, root.c.state.in_(_ENDED), ~_named(bulk_id, family))
        .distinct()
    )
