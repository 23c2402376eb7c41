"""What root makes in the home of a service's user is that user's: else the service could not start again."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from jobdeck.access.first_admin import new_admin_token
from jobdeck.access.home_lock import lock_installation
from jobdeck.access.vault import Vault
from jobdeck.store.sql.database import Database

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")


@pytest.fixture
def theirs(home: Path) -> tuple[int, int]:
    """The home belongs to somebody who is not root."""
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return nobody.pw_uid, nobody.pw_gid


async def test_all_that_is_made_belongs_to_the_owner_of_the_home(
    database: Database, home: Path, theirs: tuple[int, int]
) -> None:
    await new_admin_token(database, home)
    Vault.in_home(home)
    lock_installation(home, home / "jobdeck.db").release()
    made = {path.name: path.stat() for path in home.iterdir()}
    assert set(made) >= {"admin.token", "home.id", "secret.key", "jobdeck.lock", "jobdeck.db.lock"}
    assert {name: (at.st_uid, at.st_gid) for name, at in made.items()} == dict.fromkeys(made, theirs)
    assert {at.st_mode & 0o777 for at in made.values()} == {0o600}


def test_a_link_that_stands_in_the_way_gives_nothing_away(home: Path, tmp_path: Path, theirs: tuple[int, int]) -> None:
    """The owner of the home may lay one; what it leads to stays as it is."""
    other = tmp_path / "of-root"
    other.write_text("kept")
    (home / "jobdeck.lock").symlink_to(other)
    lock_installation(home, home / "jobdeck.db").release()
    assert (other.read_text(), other.stat().st_uid) == ("kept", 0)
