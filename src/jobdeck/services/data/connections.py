"""Connections: the systems that a project's jobs read from and write to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.access.vault import Vault
from jobdeck.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from jobdeck.core.output.nearest import nearest
from jobdeck.core.values import MAX_PARAMS, bounded, check_depth, merged
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.services.data.connection_changes import changed, check_typed_again, refuse_masks
from jobdeck.services.data.in_use import require_unused
from jobdeck.services.masking import MASK, mask_by_name
from jobdeck.store import connections
from jobdeck.store.connections import SealedSecrets
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Tx
from jobdeck.store.views import uses
from jobdeck.wire.admin import Connection, ConnectionChange, ConnectionRequest
from jobdeck.wire.base import Page, instant

if TYPE_CHECKING:
    from jobdeck.connectors.base import Connector

CHANGE_TRIES = 5
"""Times a connection is looked at anew because somebody else has changed it meanwhile."""
LAKE = Connection(name="lake", kind="lake", description="Versioned tables in the project's own storage; always there.")


class Connections(OfCore):
    """The use cases of connections."""

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[Connection]:
        """The connections of a project, by name; their secrets are masked."""
        caller.require(Permission.CONNECTION_READ)
        start = str(cursors.decode(cursor, "connections", str)[0]) if cursor else ""
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            stored = await connections.of_project(connection, project.id)
        found = {LAKE.name: LAKE} | {c.name: _view(c) for c in stored}
        names = sorted(name for name in found if name > start)
        last = cursors.following("connections", names, limit, lambda one: one)
        return Page[Connection](items=[found[name] for name in names[:limit]], next=last)

    async def get(self, caller: Caller, project_name: str, name: str) -> Connection:
        """One connection, its secrets masked; raises NotFound."""
        if name == LAKE.name:
            async with self._core.database.read() as connection:
                await visible_project(connection, caller, project_name)
            return LAKE
        _, found = await self.find(caller, project_name, name)
        return _view(found)

    async def find(
        self, caller: Caller, project_name: str, name: str, permission: Permission = Permission.CONNECTION_READ
    ) -> tuple[StoredProject, connections.StoredConnection]:
        """One connection as it is stored, and its project; raises NotFound, and Conflict for the lake."""
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            caller.require(permission)
            found = await connections.get(connection, project.id, name) if "\0" not in name else None
            there = await connections.of_project(connection, project.id) if found is None else []
        if name == LAKE.name:
            raise Conflict("The connection 'lake' is always there; it has nothing to set or to test.", field="name")
        if found is None:
            raise _missing(name, project, [c.name for c in there])
        return project, found

    async def create(self, caller: Caller, project_name: str, asked: ConnectionRequest) -> Connection:
        """Keep a connection, its secrets encrypted; raises Conflict when the name is taken."""
        project = await self._writable(caller, project_name)
        asked = _check(asked, self._core.installation.allowed_endpoints)
        secrets = self._sealed(project, asked.name, asked.secrets)
        new = connections.StoredConnection(asked.name, asked.kind, asked.options, secrets, 0)

        async def work(tx: Tx) -> int:
            await connections.create(tx, project.id, new, caller.principal_id, caller.name)
            return tx.now

        now = await self._core.database.transact(work)
        return _view(connections.StoredConnection(new.name, new.kind, new.options, secrets, now))

    async def change(self, caller: Caller, project_name: str, name: str, asked: ConnectionChange) -> Connection:
        """Put options and secrets over those that there are; raises SecretNeededAgain where the address changes."""
        project = await self._writable(caller, project_name)
        for _ in range(CHANGE_TRIES):
            _, before = await self.find(caller, project_name, name)
            after = self._after(project, before, asked)
            if await self._core.database.transact(
                partial(connections.change, project_id=project.id, before=before, after=after, actor=caller.name)
            ):
                return _view(after)
        raise Conflict("Others keep changing this connection.", field="name", hint="Look at it, then change it again.")

    def _after(
        self, project: StoredProject, before: connections.StoredConnection, asked: ConnectionChange
    ) -> connections.StoredConnection:
        """The connection as it is to be, checked like a new one."""
        connector = _connector(before.kind)
        for field, value in (("options", asked.options), ("secrets", asked.secrets)):
            check_depth(value, field)
        new_options, new_secrets = connector.shaped(asked.options, asked.secrets)
        known = self._known(project, before)
        secrets = changed(connector, known, new_secrets)
        refuse_masks(secrets, "secrets")
        options = changed(connector, before.options, new_options)
        whole = ConnectionRequest.model_construct(name=before.name, kind=before.kind, options=options, secrets=secrets)
        shaped = _check(whole, self._core.installation.allowed_endpoints)
        was = connector.leads_to(merged(before.options, known))
        becomes = connector.leads_to(merged(shaped.options, shaped.secrets))
        check_typed_again(connector, was, becomes, known, new_secrets)
        sealed = before.secrets if shaped.secrets == known else self._sealed(project, before.name, shaped.secrets)
        return replace(before, options=shaped.options, secrets=sealed)

    def _known(self, project: StoredProject, stored: connections.StoredConnection) -> dict[str, Any]:
        """Its secrets."""
        if stored.secrets is None:
            return {}
        found: dict[str, Any] = self._key().open(stored.secrets.box, place(project.id, stored.name))
        return found

    async def delete(self, caller: Caller, project_name: str, name: str, *, force: bool = False) -> None:
        """Forget it and its secrets; raises NotFound, and InUse unless `force` while somebody names it. Tasks that run
        keep what they were given; what is in the system stays there."""
        project = await self._writable(caller, project_name)
        if name == LAKE.name:
            raise Conflict("The connection 'lake' is always there.", field="name")
        if not force:
            await self._require_unused(project, name)
        gone = "\0" not in name and await self._core.database.transact(
            lambda tx: connections.remove(tx, project.id, name, caller.name)
        )
        if not gone:
            raise _missing(name, project, [])

    async def _require_unused(self, project: StoredProject, name: str) -> None:
        """Before the transaction, which holds up others: very many jobs may have to be looked at."""
        async with self._core.database.read() as connection:
            found = {c.name: c for c in await connections.of_project(connection, project.id)}
            if name not in found:
                return
            url = found[name].options.get("url")
            users = await uses.of_connection(connection, project.id, name, url if isinstance(url, str) else None)
        require_unused(f"The connection '{name}'", users, "name")

    async def _writable(self, caller: Caller, project_name: str) -> StoredProject:
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
        caller.require(Permission.CONNECTION_WRITE)
        return project

    def _sealed(self, project: StoredProject, name: str, secrets: dict[str, Any]) -> SealedSecrets | None:
        if not secrets:
            return None
        return SealedSecrets(_masked(secrets), self._key().seal(secrets, place(project.id, name)))

    def _key(self) -> Vault:
        if self._core.vault is None:
            raise Unavailable("This server has no key to keep secrets with.", hint="Set JOBDECK_SECRET_KEY.")
        return self._core.vault


def place(project_id: int, name: str) -> str:
    """What a connection's secrets are bound to: they cannot be opened in the place of another's."""
    return f"connection:{project_id}/{name}"


def _missing(name: str, project: StoredProject, there: Sequence[str]) -> NotFound:
    hint = nearest(name, there).strip() or "`jobdeck connections list` shows them."
    return NotFound(f"There is no connection '{name[:100]}' in project '{project.name}'.", field="name", hint=hint)


def _connector(kind: str) -> Connector:
    from jobdeck.connectors import registry

    return registry.connector(kind)


def _check(asked: ConnectionRequest, allowed_endpoints: tuple[str, ...]) -> ConnectionRequest:
    """In the form in which it is kept; raises what is wrong with it."""
    from jobdeck.connectors import registry

    if asked.name == LAKE.name:
        raise Conflict("The name 'lake' is taken.", field="name", hint="Choose another name.")
    kinds = [kind for kind in registry.kinds() if kind != LAKE.kind]
    if asked.kind not in kinds:
        raise InvalidInput(
            f"No connector for '{asked.kind}' is installed.", field="kind", hint=f"There are: {', '.join(kinds)}."
        )
    for field, value in (("options", asked.options), ("secrets", asked.secrets)):
        check_depth(value, field)
        bounded(value, MAX_PARAMS, field)
    connector = registry.connector(asked.kind)
    options, secrets = connector.shaped(asked.options, asked.secrets)
    _check_apart(options, secrets, "secrets")
    try:
        connector.check_options(merged(options, secrets), allowed_endpoints)
    except InvalidInput as error:
        error.field = _as_written(error.field, asked, connector)
        raise
    return asked.model_copy(update={"options": options, "secrets": secrets})


def _as_written(field: str | None, asked: ConnectionRequest, connector: Connector) -> str | None:
    """Where whoever asked has written the option that `field` names in the form in which it is kept."""
    name = connector.plain_name((field or "").rpartition(".")[2])
    for place, values in (("secrets", asked.secrets), ("options", asked.options)):
        inner = values.get("options")
        for where, there in ((f"{place}.options", inner if isinstance(inner, dict) else {}), (place, values)):
            for written in there:
                if written != "options" and connector.plain_name(written) == name:
                    return f"{where}.{written}"[:300]
    return field


def _check_apart(options: dict[str, Any], secrets: dict[str, Any], field: str) -> None:
    """Raises InvalidInput for a value that is both open and secret."""
    for name, value in secrets.items():
        there = options.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            _check_apart(there, value, f"{field}.{name}")
        elif name in options:
            raise InvalidInput(f"'{name}' is among the options already.", field=f"{field}.{name}"[:300])


def _masked(secrets: dict[str, Any]) -> dict[str, Any]:
    return {name: _masked(value) if isinstance(value, dict) else MASK for name, value in secrets.items()}


def _view(stored: connections.StoredConnection) -> Connection:
    return Connection(
        name=stored.name,
        kind=stored.kind,
        options=mask_by_name(stored.options),
        secrets=stored.secrets.shape if stored.secrets else {},
        created_at=instant(stored.created_at),
    )
