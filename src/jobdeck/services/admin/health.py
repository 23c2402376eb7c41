"""Whether the installation serves, and how its parts are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from jobdeck.core.errors import Unavailable
from jobdeck.services.core import Core
from jobdeck.storage import disk
from jobdeck.store import garbage, limits, pauses
from jobdeck.store.garbage import Left
from jobdeck.store.sql.database import Tx
from jobdeck.store.views import worker_views
from jobdeck.store.views.worker_views import Strength
from jobdeck.wire.admin import Health

T = TypeVar("T")

REMEMBERED = 1.0
"""Seconds that an answer counts; everyone may ask, so asking must cost nothing."""
BROKEN, STUCK = "broken", "stuck"
ONLY_HERE = "only_on_this_machine"
"""States of parts that keep no job from running."""
_ONLY_HERE = "Processes on other machines cannot see it. Set JOBDECK_STORAGE_URL before you add a machine."
FULL = "full"
_MAKE_ROOM = "Make room on the disk, or let others write there; everything goes on by itself."
PATIENCE = 5.0
"""Seconds that the database may take to answer."""
SURE = 3.0
"""Seconds after a write that was taken in which another one is not tried."""


class HealthCheck:
    """The use case of health; needs no token."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = asyncio.Lock()
        self._known: tuple[float, Health] | None = None
        self._reading = _Question[dict[str, Any]]("health reads")
        self._writing = _Question[None]("health writes")
        self._room = _Question[dict[str, str]]("health of disks")

    async def look(self) -> Health:
        """`status` is `ok`, `degraded` (jobs do not run) or `unavailable` (the database does not answer)."""
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > REMEMBERED:
                self._known = (time.monotonic(), await self._look())
            return self._known[1]

    async def _look(self) -> Health:
        version = self._core.installation.version
        began = time.monotonic()
        try:
            parts = {**await self._reading.answer(self._parts), **await self._disks()}
        except (Unavailable, TimeoutError):
            parts = {"database": {"status": "unavailable"}, **await self._disks()}
            return Health(status="unavailable", version=version, parts=parts)
        database = {"kind": self._core.database.dialect, "seconds": round(time.monotonic() - began, 4)}
        if not await self._takes_writes():
            parts["database"] = {"status": "takes_no_writes", **database}
            return Health(status="unavailable", version=version, parts=parts)
        parts["database"] = {"status": "ok", **database}
        good = all(part["status"] in ("ok", BROKEN, STUCK, ONLY_HERE) for part in parts.values())
        return Health(status="ok" if good else "degraded", version=version, parts=parts)

    async def _takes_writes(self) -> bool:
        """A database that is locked, or full, can be read and is of no use; mostly one was written a moment ago."""
        if time.monotonic() - self._core.database.wrote_at < SURE:
            return True
        try:
            await self._writing.answer(lambda: self._core.database.transact(_nothing))
        except (Unavailable, TimeoutError):
            return False
        return True

    async def _disks(self) -> dict[str, Any]:
        """A part for the disks of this machine on which nothing more can be written, if there are any."""
        folders = self._core.installation.own_folders
        try:
            full = await self._room.answer(lambda: asyncio.to_thread(without_room, folders))
        except TimeoutError:
            return {"disk": {"status": "does_not_answer", "hint": f"One of {', '.join(folders.values())} hangs."}}
        return {"disk": {"status": FULL, "full": full, "hint": _MAKE_ROOM}} if full else {}

    async def _parts(self) -> dict[str, Any]:
        silence = int(self._core.installation.worker_silence * 1_000_000)
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            leader = await worker_views.leader(connection, now)
            strength = await worker_views.strength(connection, now - silence)
            left = await garbage.left(connection)
            paused = "instance" in await pauses.all_pauses(connection)
            closed = (await limits.capacities(connection)).get("instance") == 0
        own = self._core.installation.storage_is_only_here
        return {
            **({"storage": {"status": ONLY_HERE, "hint": _ONLY_HERE}} if own else {}),
            "scheduler": {"status": "ok" if leader else "missing"},
            **_held_back(paused=paused, closed=closed),
            "worker": _worker(strength),
            "services": self._services(),
            **_garbage(left, now),
            **_broken("job_types", {broken.name: broken.reason for broken in self._core.registry.broken}),
            **_broken("connectors", self._core.broken_connectors),
        }

    def _services(self) -> dict[str, Any]:
        """What runs in the background of this process; those that do not work, or had to be started again, by name."""
        states = self._core.loop_states
        failing = {name: state.last_error for name, state in states.items() if not state.works}
        restarted = {name: state.restarts for name, state in states.items() if state.restarts}
        shown = {"status": "failing" if failing else "ok"}
        return {**shown, **({"failing": failing} if failing else {}), **({"restarts": restarted} if restarted else {})}


def _held_back(*, paused: bool, closed: bool) -> dict[str, Any]:
    """A part for what an administrator has done so that no job of the whole installation starts."""
    if paused:
        return {"jobs": {"status": "paused", "hint": "`jobdeck pauses clear instance` lets them go on."}}
    if closed:
        return {"jobs": {"status": "limited_to_none", "hint": "`jobdeck limits clear instance --instance` ends that."}}
    return {}


def _worker(strength: Strength) -> dict[str, Any]:
    """Whether somebody takes jobs; those who only finish what they have do not, nor who gets no process for them."""
    counts = {"live": strength.live, **({"draining": strength.draining} if strength.draining else {})}
    short = {"short": dict(strength.short)} if strength.short else {}
    if not strength.live:
        return {"status": "draining" if strength.draining else "missing", **counts, **short}
    return {"status": "short" if short else "ok", **counts, **short}


def _garbage(left: Left, now: int) -> dict[str, Any]:
    """A part for content that was to be deleted and could not be, if there is any. Jobs run all the same."""
    if not left.count or left.since is None:
        return {}
    hours = round(max(0, now - left.since) / 3_600_000_000, 1)
    return {"garbage": {"status": STUCK, "left": left.count, "hours": hours, "tries": left.tries, "reason": left.error}}


def _broken(part: str, reasons: Mapping[str, str]) -> dict[str, Any]:
    """A part for what others wrote and could not be loaded, if there is any. Nothing else is harmed by it."""
    return {part: {"status": BROKEN, "broken": dict(reasons)}} if reasons else {}


def without_room(folders: Mapping[str, str]) -> dict[str, str]:
    """The folders in which nothing more can be written, each with what is there and why. For a thread."""
    found = {what: (folder, disk.lack_of_room(Path(folder))) for what, folder in folders.items()}
    lacking: dict[str, list[str]] = {}
    reasons = {folder: why for folder, why in found.values() if why is not None}
    for what, (folder, _) in found.items():
        if folder in reasons:
            lacking.setdefault(folder, []).append(what)
    return {folder: f"{' and '.join(lacking[folder])}: {why}" for folder, why in reasons.items()}


async def _nothing(_tx: Tx) -> None:
    """A transaction that only begins and ends."""


class _Question(Generic[T]):
    """What the database is asked; it is left standing when the answer takes too long, so that a hung database is asked
    once. Breaking it off would not do: to cancel a statement politely takes an answer of the database, too."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked: asyncio.Task[T] | None = None

    async def answer(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer; raises TimeoutError, and what `ask` raises."""
        self._asked = self._asked or asyncio.create_task(ask(), name=self._name)
        done, _ = await asyncio.wait([self._asked], timeout=PATIENCE)
        if not done:
            raise TimeoutError
        asked, self._asked = self._asked, None
        return asked.result()
