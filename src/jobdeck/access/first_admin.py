"""The administrator's token of an installation, kept in a file of its home that only its owner can read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from jobdeck.access.roles import Role
from jobdeck.access.secrets import TokenText
from jobdeck.access.tokens import Authenticator, TokenWish, issue
from jobdeck.core.errors import Unauthenticated
from jobdeck.core.home import ADMIN_TOKEN
from jobdeck.store import projects
from jobdeck.store.access import principals, tokens
from jobdeck.store.sql.database import Database, Tx


async def first_admin(database: Database, home: Path) -> str:
    """The text of the administrator's token, from `<home>/admin.token` or, where that is missing or no good, a new one.

    Makes the project `default` and the principal `admin` where they are not there. A new token ends the lost one.
    The file appears whole or not at all, readable by its owner only."""
    path = home / ADMIN_TOKEN
    found = await _good(database, path)
    if found is not None:
        path.chmod(0o600)
        return found

    async def work(tx: Tx) -> TokenText:
        await projects.ensure_default(tx)
        principal_id = await principals.ensure(tx, principals.ADMIN, "person")
        await tokens.revoke_named(tx, principal_id, ADMIN_TOKEN)
        _, text = await issue(tx, TokenWish(ADMIN_TOKEN, Role.ADMIN), principals.ADMIN, principals.ADMIN)
        return text

    text = str(await database.transact(work))
    _write(path, text)
    return text


async def _good(database: Database, path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
        caller = await Authenticator(database).caller(text)
    except (FileNotFoundError, UnicodeDecodeError, Unauthenticated):
        return None
    return text if caller.role is Role.ADMIN and caller.project_id is None else None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
