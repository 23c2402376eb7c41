"""The storage of the installation is proved at every start: it holds a word that the database knows, too.

A worker with a storage of its own would find no file that was uploaded, and a new database on an old storage would give
old ids to new files. Both are told so when they start, and not by each job that fails."""

from __future__ import annotations

import secrets

from jobdeck.core.errors import InvalidInput
from jobdeck.storage.blobs import Blobs
from jobdeck.store import installation
from jobdeck.store.access import principals
from jobdeck.store.sql.database import Database

MARK = "installation.mark"
"""The object that holds the word, at the root of the storage."""
_DATA = "projects"
"""Below it lies what projects keep."""


class WrongStorage(InvalidInput, code="wrong_storage"):
    """The storage of this process is not the one of the installation that the database belongs to."""


async def prove_storage(database: Database, blobs: Blobs, *, serves: bool) -> None:
    """Raises WrongStorage where database and storage do not belong together. Of an installation that is new, or is
    of a version that knew no mark, both are marked. `serves`: others are told that the storage is where it is here."""
    async with database.read() as connection:
        known = await installation.get(connection, installation.STORAGE_MARK)
        is_new = known is None and not await principals.are_any(connection)
    if known is None:
        known = await _begin(database, blobs, is_new=is_new)
    held = await _held(blobs)
    if held != known:
        raise await _not_ours(database, blobs, held)
    if serves:
        await database.transact(lambda tx: installation.put(tx, installation.STORAGE_URL, blobs.url))


async def _begin(database: Database, blobs: Blobs, *, is_new: bool) -> str:
    """Mark both; the word that holds, also where another process was a moment earlier."""
    held = await _held(blobs)
    if held is not None and is_new and not await blobs.is_empty(_DATA):
        raise WrongStorage(
            f"The storage {blobs.url} belongs to another installation, and this database is new.",
            field="storage_url",
            hint="Move the old database with `jobdeck move-database`, or give the new one a storage of its own: "
            f"JOBDECK_STORAGE_URL. Delete {MARK} in the storage only if that installation is gone for good.",
        )
    own = held or secrets.token_hex(16)
    word = (await blobs.put_new(MARK, own.encode())).decode("ascii", "replace")
    known = await installation.put_once(database, installation.STORAGE_MARK, word)
    if known != word and held is None and word == own:
        await blobs.delete(MARK)  # we have just made it, in a storage that is not the installation's
    return known


async def _not_ours(database: Database, blobs: Blobs, held: str | None) -> WrongStorage:
    async with database.read() as connection:
        where = await installation.get(connection, installation.STORAGE_URL)
    what = "has no mark of it" if held is None else "belongs to another one"
    there = f" Its servers have it at {where}." if where and where != blobs.url else ""
    return WrongStorage(
        f"The storage {blobs.url} is not the storage of this installation: it {what}.{there}",
        field="storage_url",
        hint="Servers and workers share one storage: give all of them the same JOBDECK_STORAGE_URL, a folder that "
        f"every machine mounts or an S3 bucket. Where the storage was moved, copy all of it, {MARK} too.",
    )


async def _held(blobs: Blobs) -> str | None:
    try:
        return (await blobs.get(MARK)).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
