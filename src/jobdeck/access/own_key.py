"""The key of the installation is proved at every start: the database knows a value that only this key opens."""

from __future__ import annotations

from pathlib import Path

from jobdeck.access.vault import KEY_FILE, SecretsUnreadable, UnusableSecretKey, Vault
from jobdeck.core.errors import InvalidInput
from jobdeck.store import connections, installation
from jobdeck.store.sql.database import Connection, Database

_PLACE = "installation:key_check"
_KNOWN = {"key": "of this installation"}


class WrongSecretKey(InvalidInput, code="wrong_secret_key"):
    """The key of this process is not the one with which the installation's secrets are sealed."""


async def proved_vault(database: Database, secret_key: str, home: Path) -> Vault:
    """The vault of this process, with the key from the settings or from the home, where a new installation makes one.

    Raises WrongSecretKey, which names where the key came from; UnusableSecretKey for one that is none."""
    source = "the setting `secret_key` (JOBDECK_SECRET_KEY)" if secret_key else str(home / KEY_FILE)
    async with database.read() as connection:
        check = await installation.get(connection, installation.KEY_CHECK)
        box = None if check is not None else await _older_box(connection)
    begun = check is not None or box is not None
    if begun and not secret_key and not (home / KEY_FILE).exists():
        raise WrongSecretKey(
            f"The secrets of this installation are sealed with a key that this machine lacks: {source} is not there.",
            field="secret_key",
            hint=_HINT,
        )
    try:
        vault = Vault(secret_key) if secret_key else Vault.in_home(home)
    except UnusableSecretKey as error:
        raise UnusableSecretKey(f"{error.message} It comes from {source}.", field=error.field, hint=_HINT) from error
    if box is not None:
        _prove(vault, *box, source)
    held = check or await installation.put_once(database, installation.KEY_CHECK, vault.seal(_KNOWN, _PLACE))
    _prove(vault, held, _PLACE, source)
    return vault


_HINT = (
    f"Give every server and worker of the installation the same key: {KEY_FILE} of the home in which it was begun, or "
    "its content as JOBDECK_SECRET_KEY."
)


def _prove(vault: Vault, box: str, place: str, source: str) -> None:
    try:
        vault.open(box, place)
    except SecretsUnreadable as error:
        raise WrongSecretKey(
            f"The key from {source} is not the one with which the secrets of this installation are sealed.",
            field="secret_key",
            hint=_HINT,
        ) from error


async def _older_box(connection: Connection) -> tuple[str, str] | None:
    """Secrets that an older version sealed, before the database knew the key's check value, and their place."""
    found = await connections.any_sealed(connection)
    return None if found is None else (found.box, f"connection:{found.project_id}/{found.name}")
