"""Servers with homes of their own on one database: one administrator, one key, one writer; private homes."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobdeck import Client
from jobdeck.access.home_lock import lock_installation
from jobdeck.access.own_key import proved_vault
from jobdeck.client.errors import ClientError
from jobdeck.store.migrate import migrate
from jobdeck.store.sql.database import Database
from tests.faults.installation import installation

pytestmark = pytest.mark.timeout(600)

KEY = base64.b64encode(bytes(32)).decode()
OTHER_KEY = base64.b64encode(bytes([1]) * 32).decode()


def start(*words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """A `jobdeck` that is to end by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
    given = {f"JOBDECK_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "jobdeck.cli.main", *words]
    return subprocess.run(command, env={**clean, **given}, capture_output=True, text=True, timeout=120, check=False)


def test_a_second_home_neither_takes_nor_ends_the_administrators_token(
    tmp_path: Path, postgres_database_url: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    storage = (tmp_path / "storage").as_uri()
    with installation(first, postgres_database_url, storage_url=storage) as one:
        one.server()
        with installation(second, postgres_database_url, storage_url=storage) as two:
            process = two.server()
            assert not (second / "admin.token").exists()
            assert "admin-token" in process.log.read_text()
            with one.client() as client:
                assert client.me().name == "admin"
            with Client(url=two.url, home=first) as client:
                assert client.me().name == "admin"
        old = (first / "admin.token").read_text().strip()
        made = start("admin-token", home=second, database_url=postgres_database_url, storage_url=storage)
        assert made.returncode == 0, made.stderr
        assert str(second / "admin.token") in made.stdout
        with Client(url=one.url, home=second) as client:
            assert client.me().name == "admin"
        with Client(url=one.url, token=old) as client, pytest.raises(ClientError, match="revoked"):
            client.me()


async def begin(url: str, key: str) -> None:
    """An installation whose database knows the check value of `key`."""
    database = Database(url)
    await migrate(database)
    await proved_vault(database, key, Path("/nowhere"))
    await database.close()


@pytest.mark.parametrize("words", [("server", "--port", "0"), ("worker",)])
async def test_a_wrong_key_does_not_start(tmp_path: Path, postgres_database_url: str, words: tuple[str, ...]) -> None:
    await begin(postgres_database_url, KEY)
    home = tmp_path / "other"
    home.mkdir()
    common = {"home": home, "database_url": postgres_database_url}
    wrong = start(*words, **common, secret_key=OTHER_KEY)
    assert wrong.returncode == 2
    assert "JOBDECK_SECRET_KEY" in wrong.stderr
    missing = start(*words, **common)
    assert missing.returncode == 2
    assert str(home / "secret.key") in missing.stderr
    assert not (home / "secret.key").exists()
    (home / "secret.key").write_text(OTHER_KEY)
    other = start(*words, **common)
    assert other.returncode == 2
    assert str(home / "secret.key") in other.stderr
    assert "Traceback" not in wrong.stderr + missing.stderr + other.stderr


@pytest.mark.parametrize("way", ["same", "link", "dots"])
def test_one_sqlite_file_has_one_server_whatever_its_home(tmp_path: Path, way: str) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    database = tmp_path / "data.db"
    (tmp_path / "link.db").symlink_to(database)
    named = {"same": database, "link": tmp_path / "link.db", "dots": home / ".." / "data.db"}[way]
    held = lock_installation(home, database)
    second = start("server", "--port", "0", home=other, database_url=f"sqlite:///{named}", secret_key=KEY)
    assert second.returncode == 2
    assert f"{database} already" in second.stderr
    assert not database.exists()
    held.release()
    lock_installation(other, named).release()


def test_a_home_that_was_open_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "storage" / "projects").mkdir(parents=True)
    (home / "storage" / "projects" / "old.csv").write_text("a\n1\n")
    for path in (home, *home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    with installation(home, f"sqlite:///{home / 'jobdeck.db'}", secret_key="") as one:
        one.up()
        source = tmp_path / "t.csv"
        source.write_text("a\n1\n")
        with one.client() as client:
            file = client.files.upload(source)
            job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/b/t"}).id
        one.until_state(job, "succeeded")
        names = {path.name for path in home.rglob("*")}
        assert {"jobdeck.db-wal", "jobdeck.db-shm", "admin.token", "secret.key", "old.csv", "spool"} <= names
        logs = set(home.glob("*.log"))  # made by the test itself
        open_ = [
            str(path)
            for path in (home, *home.rglob("*"))
            if path not in logs and stat.S_IMODE(path.lstat().st_mode) & 0o077
        ]
        assert open_ == []


@pytest.mark.parametrize("allowed", ["parent", "link"])
def test_the_installations_own_files_are_never_imported(tmp_path: Path, allowed: str) -> None:
    home = tmp_path / "all" / "home"
    home.mkdir(parents=True)
    (tmp_path / "all" / "good.csv").write_text("a\n1\n")
    (tmp_path / "all" / "door").symlink_to(home)
    (tmp_path / "all" / "token.csv").symlink_to(home / "admin.token")
    (tmp_path / "away").symlink_to(tmp_path / "all")
    folder = tmp_path / ("all" if allowed == "parent" else "away")
    with installation(home, f"sqlite:///{home / 'jobdeck.db'}", allowed_paths=str(folder), secret_key="") as one:
        one.up()
        with one.client() as client:
            for entry in (
                "home/admin.token", "home/secret.key", "home/jobdeck.db", "home/jobdeck.db-wal", "door/admin.token",
                "token.csv", f"home/../{'home'}/admin.token", "home/*.token", "door/*", "*/admin.token",
                "**/admin.token", "home/storage", "home", f"door/../{'home'}/home.id",
            ):  # fmt: skip
                with pytest.raises(ClientError):
                    client.jobs.submit("import", {"files": [f"{folder}/{entry}"], "into": "lake/b/t"})
            good = client.jobs.submit("import", {"files": [f"{folder}/good.csv"], "into": "lake/b/t"}).id
        one.until_state(good, "succeeded")


@pytest.mark.parametrize("inside", ["", "storage/projects"])
def test_a_folder_within_the_home_cannot_be_allowed(tmp_path: Path, inside: str) -> None:
    home = tmp_path / "home"
    (home / inside).mkdir(parents=True)
    (tmp_path / "door").symlink_to(home)
    for way in (home / inside, tmp_path / "door" / inside):
        refused = start("server", "--port", "0", home=home, allowed_paths=way)
        assert refused.returncode == 2
        assert "allowed_paths" in refused.stderr
    assert not (home / "jobdeck.db").exists()


def test_a_lost_token_is_made_anew_in_its_own_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    url = f"sqlite:///{home / 'jobdeck.db'}"
    with installation(home, url) as one:
        assert one.server().stop() == 0
        (home / "admin.token").unlink()
        one.server()
        with one.client() as client:
            assert client.me().name == "admin"
    shutil.rmtree(home)
