"""The administrator's token of an installation, kept in a file of the home in which the installation was begun.

An installation makes it once. A server with another home on the same database gets none, and takes none away."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from jobdeck.access.caller import Authenticator, Role, TokenText
from jobdeck.access.tokens import TokenWish, issue
from jobdeck.core.errors import Conflict, Unauthenticated
from jobdeck.core.home import ADMIN_TOKEN, hand_to_owner
from jobdeck.store import installation, projects
from jobdeck.store.access import principals, tokens
from jobdeck.store.sql.database import Connection, Database, Tx
from jobdeck.store.sql.events import Actor

HOME_ID = "home.id"
"""A file with a random name for the home, by which the installation knows the one that has the token."""


class AdminElsewhere(Conflict, code="admin_elsewhere"):
    """The administrator's token was made in another home."""


async def first_admin(database: Database, home: Path) -> str:
    """The text of the administrator's token from `<home>/admin.token`, made at the first start of the installation.

    The home in which it was made gets a new one where its file is missing or no good; that ends the lost one. Raises
    AdminElsewhere where another home has it."""
    path = home / ADMIN_TOKEN
    mine = _home_id(home)
    found = await _good(database, path)
    async with database.read() as connection:
        owner = await installation.get(connection, installation.ADMIN_HOME)
        begun = owner is not None or await _has_admin(connection)
    if found is not None:
        path.chmod(0o600)
        if owner is None:
            await installation.put_once(database, installation.ADMIN_HOME, mine)
        return found
    if owner != mine and begun:
        raise AdminElsewhere("Another home has the token of the administrator.", hint="Make one: jobdeck admin-token.")
    return await _make(database, path, mine, first=owner is None)


async def new_admin_token(database: Database, home: Path) -> Path:
    """Make a new token for the administrator, into `<home>/admin.token`; the one that was lost ends. The file."""
    path = home / ADMIN_TOKEN
    await _make(database, path, _home_id(home), first=False)
    return path


async def _make(database: Database, path: Path, mine: str, *, first: bool) -> str:
    """`first`: of two servers that begin an installation at one moment, one does."""

    async def work(tx: Tx) -> TokenText:
        if first:
            await installation.put_new(tx, installation.ADMIN_HOME, mine)
        else:
            await installation.put(tx, installation.ADMIN_HOME, mine)
        await projects.ensure_default(tx)
        principal_id = await principals.ensure(tx, principals.ADMIN, "person")
        await tokens.revoke_named(tx, principal_id, ADMIN_TOKEN)
        wish = TokenWish(principal_id, ADMIN_TOKEN, Role.ADMIN)
        _, text = await issue(tx, wish, Actor(principals.ADMIN, principal_id, 0))
        return text

    try:
        text = str(await database.transact(work))
    except installation.AlreadySet as error:
        raise AdminElsewhere("Another server has made the administrator just now.", hint="Start again.") from error
    _write(path, text)
    return text


async def _has_admin(connection: Connection) -> bool:
    """Whether an older version began this installation, which did not note where."""
    admin = await principals.by_name(connection, principals.ADMIN)
    return admin is not None and await tokens.has_named(connection, admin.id, ADMIN_TOKEN)


async def _good(database: Database, path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
        caller = await Authenticator(database).caller(text)
    except (FileNotFoundError, UnicodeDecodeError, Unauthenticated):
        return None
    return text if caller.role is Role.ADMIN and caller.project_id is None else None


def _home_id(home: Path) -> str:
    path = home / HOME_ID
    try:
        found = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        found = ""
    if not found:
        found = secrets.token_hex(16)
        _write(path, found)
    return found


def _write(path: Path, text: str) -> None:
    """The file appears whole or not at all, readable by the home's owner only, also where root makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
            hand_to_owner(file.fileno(), path.parent)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
