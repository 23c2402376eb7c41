"""Configurations: saved, versioned parameters of a job type."""

from __future__ import annotations

from functools import partial

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import Conflict, NotFound
from jobdeck.core.identity.sealed import Stored
from jobdeck.core.values import MAX_PARAMS, bounded, check_depth, encode
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.masking import Masker, unmasked
from jobdeck.store import configurations, limits
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.wire.admin import Configuration, ConfigurationRequest
from jobdeck.wire.base import Page, instant

SAVE_TRIES = 5
"""Times a configuration is looked at anew because somebody else has saved it meanwhile."""


class Configurations:
    """The use cases of configurations."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._masker = Masker(core.registry)
        self._seals = core.seals()

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[Configuration]:
        caller.require(Permission.CONFIGURATION_READ)
        after = cursors.number(cursor, "configurations") or 0
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            found = await configurations.page(connection, project.id, after, limit + 1)
        last = cursors.following("configurations", found, limit, lambda one: one.id)
        return Page[Configuration](items=[self._view(c, project) for c in found[:limit]], next=last)

    async def get(self, caller: Caller, project_name: str, id: int) -> Configuration:
        """One configuration; raises NotFound."""
        caller.require(Permission.CONFIGURATION_READ)
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            found = await configurations.get(connection, project.id, id)
        if found is None:
            raise _missing(id, project)
        return self._view(found, project)

    async def create(self, caller: Caller, project_name: str, asked: ConfigurationRequest) -> Configuration:
        """Save version 1; raises Conflict when the name is taken, InvalidInput where parameters do not fit the type."""
        project = await self._writable(caller, project_name)
        await self._check_params(project, asked)
        stored = self._seals.seal(asked.type, project.id, asked.params, caller.principal_id)

        async def work(tx: Tx) -> int:
            made = await configurations.create(
                tx, project.id, asked.name, asked.type, encode(stored.params), caller.principal_id, stored.box
            )
            tx.emit(_event("configuration.created", project, made, caller, asked.name))
            return made

        return await self.get(caller, project_name, await self._core.database.transact(work))

    async def save(self, caller: Caller, project_name: str, id: int, asked: ConfigurationRequest) -> Configuration:
        """Save the next version; jobs that run or wait keep the parameters that they were submitted with.

        A secret that comes masked, as it was shown, stays what it is."""
        project = await self._writable(caller, project_name)
        for _ in range(SAVE_TRIES):
            before = await self._before(project, id)
            wanted, owner = self._meant(caller, asked, before)
            await self._check_params(project, wanted)
            stored = self._seals.seal(asked.type, project.id, wanted.params, owner)
            if await self._core.database.transact(partial(self._save, caller, project, before, asked, stored)):
                return await self.get(caller, project_name, id)
        raise Conflict("Others keep changing this configuration.", field="id", hint="Look at it, then save again.")

    async def _before(self, project: StoredProject, id: int) -> configurations.StoredConfiguration:
        async with self._core.database.read() as connection:
            found = await configurations.get(connection, project.id, id)
        if found is None:
            raise _missing(id, project)
        return found

    async def _save(
        self,
        caller: Caller,
        project: StoredProject,
        before: configurations.StoredConfiguration,
        asked: ConfigurationRequest,
        stored: Stored,
        tx: Tx,
    ) -> bool:
        """Whether it was still what it was `before`, which the parameters were made of, and is saved now."""
        now = await configurations.get(tx.connection, project.id, before.id)
        if now is None:
            raise _missing(before.id, project)
        if now.version != before.version:
            return False
        if not await configurations.save(
            tx, project.id, before.id, asked.name, asked.type, encode(stored.params), stored.box
        ):
            raise _missing(before.id, project)
        tx.emit(_event("configuration.saved", project, before.id, caller, asked.name))
        return True

    async def delete(self, caller: Caller, project_name: str, id: int) -> None:
        """Remove it, with its limits; raises NotFound, and Conflict while jobs remember it."""
        project = await self._writable(caller, project_name)

        async def work(tx: Tx) -> None:
            found = await configurations.get(tx.connection, project.id, id)
            if found is None or not await configurations.remove(tx, project.id, id):
                raise _missing(id, project)
            tx.emit(_event("configuration.deleted", project, id, caller, found.name))
            for resource in await limits.of_configuration(tx.connection, project.name, id):
                await limits.clear(tx, resource, project.id, caller.name)

        await self._core.database.transact(work)

    def _meant(
        self, caller: Caller, asked: ConfigurationRequest, before: configurations.StoredConfiguration
    ) -> tuple[ConfigurationRequest, int]:
        """With the secrets that came masked, and who knows them; raises SecretNeededAgain."""
        check_depth(asked.params, "params")
        same_type = before.type == asked.type
        known = self._seals.open(before.project_id, before.params, before.secrets) if same_type else {}
        params = unmasked(asked.params, known, self._masker.mask(asked.type, known))
        owner = self._seals.kept(
            asked.type, before.project_id, known, before.secrets, typed=asked.params, wanted=params,
            principal_id=caller.principal_id,
        )  # fmt: skip
        return asked.model_copy(update={"params": params}), owner

    async def _writable(self, caller: Caller, project_name: str) -> StoredProject:
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
        caller.require(Permission.CONFIGURATION_WRITE)
        return project

    async def _check_params(self, project: StoredProject, asked: ConfigurationRequest) -> None:
        """Raises InvalidInput where the parameters do not fit the type."""
        self._core.registry.get(asked.type)
        check_depth(asked.params, "params")
        bounded(asked.params, MAX_PARAMS, "params")
        await self._core.submitter.fits(asked.type, asked.params, project.name)

    def _view(self, found: configurations.StoredConfiguration, project: StoredProject) -> Configuration:
        return Configuration(
            id=found.id,
            project=project.name,
            name=found.name,
            type=found.type,
            params=self._masker.mask(found.type, found.params),
            version=found.version,
            created_by=found.created_by,
            created_at=instant(found.created_at),
        )


def _event(kind: str, project: StoredProject, id: int, caller: Caller, name: str | None) -> NewEvent:
    return NewEvent(kind, project.id, None, caller.name, {"configuration": id, "name": name})


def _missing(id: int, project: StoredProject) -> NotFound:
    return NotFound(f"There is no configuration {id} in project '{project.name}'.", field="id")
