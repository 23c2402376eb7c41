"""Each filter that is defined says the same as SQL over rows and over the columns of segments."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from jobdeck.core.filters import rules
from jobdeck.core.filters.jobs import FILTERS
from jobdeck.store.schema import jobs
from jobdeck.store.segments.job_filter import JobFilter
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.views.job_conditions import conditions
from jobdeck.store.views.job_lists import JobLists, Sort
from tests.store.desk import Desk
from tests.store.test_segments import BIRTHS, LIVES, NOW, Job, every, put, rows_of

_SOURCES = {"duration": "running_us"}
_STRANGE: dict[type, tuple[Any, ...]] = {int: (4, 2**62), str: ("none", "A", "")}


def _values(rows: list[Job], column: str) -> st.SearchStrategy[Any]:
    """Values that the column has, and others of its type."""
    name = _SOURCES.get(column, column)
    return st.sampled_from([*{row[name] for row in rows} - {None}, *_STRANGE[jobs.c[name].type.python_type]])


def _value(f: rules.Filter, rows: list[Job]) -> st.SearchStrategy[Any]:
    """What the filter may be asked for, whatever its name."""
    match f.rule:
        case rules.OneOf(column):
            value = _values(rows, column)
            return st.lists(value, min_size=1, max_size=3).map(tuple) if f.parameters[0].many else value
        case rules.Between(column):
            bound = st.none() | st.builds(int.__add__, _values(rows, column), st.integers(-1, 1))
            return st.tuples(bound, bound if len(f.parameters) == 2 else st.none())
        case rules.IsMissing():
            return st.just(True)
        case rules.Holds(column):
            known = {one for row in rows for one in json.loads(row[column])}
            return st.lists(st.sampled_from([*known, "none"]), min_size=1, max_size=2).map(tuple)
        case rules.Named():
            return st.sampled_from(("ann", "none"))
        case rules.CodeOrFingerprint():
            return _values(rows, "error_code").filter(bool) | _values(rows, "error_fingerprint").filter(bool)
        case rules.Below():
            return st.sampled_from([row["run_id"] for row in rows] or ["1"])
        case rules.HasWords():
            return st.sampled_from(("orders", "ORDERS 7", "boom", '"an orders"', "7", "ann", "x,y"))


@settings(
    max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(data=st.data())
async def test_every_filter_says_the_same_of_rows_and_of_columns(desk: Desk, data: st.DataObject) -> None:
    births = data.draw(st.lists(BIRTHS, max_size=30))
    rows = rows_of(births, data.draw(st.lists(LIVES, min_size=len(births), max_size=len(births))))
    rows.append({**rows_of([{**data.draw(BIRTHS), "id": 5 * SIZE}], [data.draw(LIVES)])[0]})
    await put(desk, rows)
    sealer, lists = Sealer(desk.database), JobLists()
    while await sealer():
        pass
    chosen = data.draw(st.lists(st.sampled_from(FILTERS), min_size=1, max_size=2, unique_by=lambda f: f.key))
    alone = [JobFilter(at=NOW, **{f.key: data.draw(_value(f, rows))}) for f in FILTERS]
    together = JobFilter(at=NOW, **{f.key: data.draw(_value(f, rows)) for f in chosen})
    for where in (*alone, together):
        async with desk.database.read() as connection:
            query = select(jobs.c.id).where(*conditions(where)).order_by(jobs.c.id.desc())
            by_rows = list((await connection.execute(query)).scalars())
        assert await every(desk, lists, where, Sort(), 100) == by_rows, where.values
