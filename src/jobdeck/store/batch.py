"""Many rows in one statement: a list of dicts travels as one JSON parameter and is read as a table in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Float, Subquery, Text, bindparam, cast, column, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from jobdeck.core.values import clip

INT: TypeEngine[Any] = BigInteger()
TEXT: TypeEngine[Any] = Text()
FLOAT: TypeEngine[Any] = Float()
BOOL: TypeEngine[Any] = Boolean()
Columns = Mapping[str, TypeEngine[Any]]


def table_of(rows: Sequence[Mapping[str, Any]], columns: Columns, dialect: str, name: str = "batch") -> Subquery:
    """`rows` as a subquery with `columns`; a key that a row lacks is NULL."""
    parameter = bindparam(f"{name}_rows", _payload(rows), type_=Text(), unique=True)
    if dialect == "sqlite":
        source = func.json_each(parameter).table_valued("value", name=f"{name}_json")
        extract = [type_coerce(func.json_extract(source.c.value, f"$.{k}"), t).label(k) for k, t in columns.items()]
        return select(*extract).subquery(name)
    record = func.jsonb_to_recordset(cast(parameter, JSONB)).table_valued(
        *(column(key, kind) for key, kind in columns.items()), name=f"{name}_json"
    )
    return select(*record.render_derived(with_types=True).c).subquery(name)


def _payload(rows: Sequence[Mapping[str, Any]]) -> str:
    """`rows` as JSON that any database takes: of the many, one with a strange text must not stop the others."""
    try:
        payload = orjson.dumps(rows).decode()
    except TypeError:  # lone surrogates are no characters
        clean = [{k: clip(v, len(v)) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
        payload = orjson.dumps(clean).decode()
    return _NUL.sub(r"\1\\u2400", payload) if r"\u0000" in payload else payload


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped NUL; not the same six characters after an escaped backslash, which are JSON within the JSON."""


def ids_of(ids: Iterable[int], dialect: str, name: str = "ids") -> Subquery:
    """A subquery with the one column `id`."""
    return table_of([{"id": i} for i in ids], {"id": INT}, dialect, name)
