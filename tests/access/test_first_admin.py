"""The administrator's token of an installation, in a file that only its owner can read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from jobdeck.access.caller import Authenticator, Role
from jobdeck.access.first_admin import first_admin
from jobdeck.core.errors import Unauthenticated
from jobdeck.store import projects
from jobdeck.store.sql.database import Database


async def test_the_first_start_makes_it(database: Database, home: Path) -> None:
    text = await first_admin(database, home)
    path = home / "admin.token"
    assert path.read_text().strip() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {p.name for p in home.iterdir()} == {"admin.token", "home.id"}
    caller = await Authenticator(database).caller(text)
    assert (caller.name, caller.role, caller.project_id) == ("admin", Role.ADMIN, None)
    async with database.read() as connection:
        assert await projects.by_name(connection, "default") is not None


async def test_later_starts_keep_it(database: Database, home: Path) -> None:
    text = await first_admin(database, home)
    (home / "admin.token").chmod(0o644)
    assert await first_admin(database, home) == text
    assert stat.S_IMODE((home / "admin.token").stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["gone", "empty", "other", "binary"])
async def test_a_lost_file_is_made_anew_and_the_old_token_ends(database: Database, home: Path, damage: str) -> None:
    old = await first_admin(database, home)
    path = home / "admin.token"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "other": b"jd_something_else", "binary": b"\xff\xfe"}[damage])
    new = await first_admin(database, home)
    assert new != old
    assert path.read_text().strip() == new
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (await Authenticator(database).caller(new)).role is Role.ADMIN
    with pytest.raises(Unauthenticated):
        await Authenticator(database).caller(old)
