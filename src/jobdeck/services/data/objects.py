"""Tables and collections of a project: list, describe, look into, drop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core import amounts
from jobdeck.core.claims import qualify
from jobdeck.core.environment import Environment
from jobdeck.core.errors import Conflict, NotFound, Unavailable
from jobdeck.core.refs import MalformedRef, ObjectRef
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.data.arrow_stream import pieces
from jobdeck.services.data.environments import Environments
from jobdeck.storage.errors import OBJECT_STORAGE, told
from jobdeck.storage.places import project_prefix
from jobdeck.store import garbage, limits
from jobdeck.store.garbage import Doomed
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.wire.base import Page, instant
from jobdeck.wire.objects import Column, ObjectVersion, Rows, TableObject

if TYPE_CHECKING:
    import pyarrow as pa

    from jobdeck.connectors.base import DataColumn as DescribedColumn
    from jobdeck.connectors.lake.catalog import ObjectInfo, VersionInfo

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds that a look at an object may take."""
THREADS = 4
MOST_NAMED = 100
"""Jobs that hold an object and are named, at most."""


class Objects:
    """The use cases of objects. Looking is blocking work: it has threads of its own and a time limit."""

    def __init__(self, core: Core, environments: Environments) -> None:
        self._core = core
        self._environments = environments
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[TableObject]:
        """The objects of a project, by name."""
        from jobdeck.connectors.lake import catalog

        _, environment = await self._project(caller, project_name, Permission.OBJECT_READ)
        start = str(cursors.decode(cursor, "objects", str)[0]) if cursor else ""
        found = sorted(await self._look(catalog.list_objects, environment), key=lambda o: o.ref)
        behind = [o for o in found if o.ref > start]
        last = cursors.following("objects", behind, limit, lambda one: one.ref)
        return Page[TableObject](items=[TableObject(**_facts(o)) for o in behind[:limit]], next=last)

    async def get(self, caller: Caller, project_name: str, text: str, version: int | None) -> TableObject:
        """Its columns, rows, bytes and versions; raises NotFound."""
        from jobdeck.connectors.lake import catalog

        _, environment = await self._project(caller, project_name, Permission.OBJECT_READ)
        found = await self._look(catalog.describe, environment, _ref(text), version)
        return TableObject(
            **_facts(found), columns=_columns(found.columns), versions=[_version(v) for v in found.versions]
        )

    async def rows(
        self, caller: Caller, project_name: str, text: str, limit: int, version: int | None, cursor: str | None = None
    ) -> Rows:
        """Some of its rows, and where those behind them begin; raises NotFound.

        All pages are of the version of the first one."""
        from jobdeck.connectors.lake import catalog

        _, environment = await self._project(caller, project_name, Permission.OBJECT_READ)
        ref, offset = _ref(text), 0
        if cursor is not None:
            offset, version = (max(0, place) for place in cursors.decode(cursor, "rows", int, int))

        def look() -> Rows:
            found = catalog.describe(environment, ref, version)
            items = catalog.rows(environment, ref, limit, found.version, offset)
            done = offset + len(items)
            behind = None
            if items and found.version is not None and done < (found.rows or 0):
                behind = cursors.encode("rows", done, found.version)
            return Rows(columns=_columns(found.columns), items=items, version=str(found.version), next=behind)

        return await self._look(look)

    async def arrow(
        self, caller: Caller, project_name: str, text: str, version: int | None, columns: Sequence[str]
    ) -> AsyncIterator[bytes]:
        """All its rows as an Arrow stream, piece by piece; raises NotFound before the first."""
        from jobdeck.connectors.lake import catalog

        _, environment = await self._project(caller, project_name, Permission.OBJECT_READ)
        schema, batches = await self._look(catalog.batches, environment, _ref(text), version, columns)
        return self._stream(schema, batches)

    async def _stream(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> AsyncIterator[bytes]:
        made = pieces(schema, batches)
        while (piece := await self._look(next, made, None)) is not None:
            yield piece

    async def drop(self, caller: Caller, project_name: str, text: str) -> None:
        """Remove it; raises NotFound, and Conflict while a job holds it."""
        from jobdeck.connectors.lake import catalog

        project, environment = await self._project(caller, project_name, Permission.OBJECT_DROP)
        ref = _ref(text)
        await self._require_free(project, ref)
        leftovers = await self._look(catalog.withdraw, environment, ref)

        async def work(tx: Tx) -> list[int]:
            tx.emit(NewEvent("object.dropped", project.id, None, caller.name, {"object": str(ref)}))
            return await garbage.add(tx, [Doomed(f"{project_prefix(project.name)}/{below}") for below in leftovers])

        await self._core.garbage.collect(await self._core.database.transact(work))

    async def _project(self, caller: Caller, name: str, permission: Permission) -> tuple[StoredProject, Environment]:
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, name)
        caller.require(permission)
        return project, await self._environments.of(project.name)

    async def _require_free(self, project: StoredProject, ref: ObjectRef) -> None:
        async with self._core.database.read() as connection:
            resource = qualify(project.name, f"object:{ref}")
            count, some = await limits.holders(connection, resource, MOST_NAMED)
        if count:
            others = f" and {amounts.number(count - 1)} more" if count > 1 else ""
            raise Conflict(
                f"{ref} is in use by job {some[0]}{others}.",
                field="ref",
                hint="Wait for the job to end, or cancel it.",
                holders=some,
            )

    async def _look(self, look: Callable[..., T], *arguments: Any) -> T:
        def told_look() -> T:
            with told(OBJECT_STORAGE):
                return look(*arguments)

        running = asyncio.get_running_loop().run_in_executor(self._threads, told_look)
        try:
            async with asyncio.timeout(PATIENCE):
                return await running
        except TimeoutError as error:
            raise Unavailable(
                f"The storage did not answer within {PATIENCE:.0f} s.", hint="Try again later."
            ) from error


def _ref(text: str) -> ObjectRef:
    try:
        return ObjectRef.parse(text)
    except MalformedRef as error:
        raise NotFound(f"There is no object '{text[:200]}'.", field="ref", hint=error.hint) from error


def _facts(found: ObjectInfo) -> dict[str, Any]:
    return {
        "ref": found.ref,
        "kind": "table",
        "rows": found.rows,
        "bytes": found.bytes,
        "version": None if found.version is None else str(found.version),
        "updated_at": None if found.updated_at is None else instant(found.updated_at),
    }


def _columns(columns: Sequence[DescribedColumn]) -> list[Column]:
    return [Column(name=c.name, type=c.type, nullable=c.nullable) for c in columns]


def _version(found: VersionInfo) -> ObjectVersion:
    return ObjectVersion(
        version=str(found.version), at=instant(found.at), operation=found.operation, job=found.job, rows=found.rows
    )
