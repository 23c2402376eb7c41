"""Tasks under another user reach the storage and their work, and nothing else of the home."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jobdeck.core.outcome import Failed, Succeeded
from jobdeck.executors.machine.shared_files import share
from jobdeck.executors.machine.users import TaskUser, TaskUserUnusable, without_settings
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import Heard, run

READER = "tests.executors.reader:Reader"


@pytest.fixture
def user() -> TaskUser:
    if os.geteuid() != 0:
        pytest.skip("only root can run tasks as another user")
    return TaskUser.called("nobody")


@pytest.fixture
def home(user: TaskUser, tmp_path: Path) -> Path:
    """A home as it is without this setting, open to everybody; then shared."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    home = tmp_path / "home"
    for folder in ("storage/projects/p", "storage/logs", "work", "spool"):
        (home / folder).mkdir(parents=True)
    for file in ("secret.key", "jobdeck.db", "storage/projects/p/table", "storage/logs/1", "spool/1.jsonl"):
        (home / file).write_text(file)
    before = os.umask(0o022)
    share(home, home / "work", f"file://{home}/storage", user)
    assert os.umask(before) == 0o007
    return home


def test_modes(home: Path, user: TaskUser) -> None:
    def seen(name: str) -> tuple[int, int]:
        found = (home / name).stat()
        return stat.S_IMODE(found.st_mode), found.st_gid

    assert seen(".") == (0o710, user.gid)
    assert seen("storage") == seen("work") == seen("storage/projects/p") == (0o2770, user.gid)
    assert seen("storage/projects/p/table") == (0o660, user.gid)
    assert seen("storage/logs")[0] == seen("spool")[0] == 0o700
    assert seen("secret.key")[0] == seen("jobdeck.db")[0] == 0o600
    (home / "storage" / "new").mkdir()
    assert (home / "storage" / "new").stat().st_gid == user.gid


async def test_a_task_reaches_what_it_needs_and_nothing_else(home: Path, user: TaskUser) -> None:
    try:
        user.try_out(str(home / "work"), without_settings())
    except TaskUserUnusable as error:
        pytest.skip(f"nobody cannot run this Python: {error.message}")
    executor = ProcessExecutor(1, user=user)

    async def read(name: str) -> Heard:
        return await run(executor, "read", implementation=READER, params={"path": str(home / name)})

    try:
        assert (await read("storage/projects/p/table")).outcome == Succeeded("storage/projects/p/table")
        for name in ("secret.key", "jobdeck.db", "storage/logs/1", "spool/1.jsonl"):
            assert isinstance((await read(name)).outcome, Failed), name
        wrote = await run(executor, "write", implementation=READER, params={"path": str(home / "storage" / "made")})
        assert wrote.result == user.uid
        assert (home / "storage" / "made").read_text() == "made"
    finally:
        await executor.aclose()


@pytest.mark.parametrize("name", ["root", "0", "no-such-user-here", "99999999999999999999", "-1", "\x00"])
def test_users_that_cannot_be_used(name: str) -> None:
    with pytest.raises(TaskUserUnusable) as caught:
        TaskUser.called(name)
    assert caught.value.field == "task_user"
    assert caught.value.hint


def test_who_serves_is_no_user_of_tasks() -> None:
    with pytest.raises(TaskUserUnusable):
        TaskUser.called(pwd.getpwuid(os.geteuid()).pw_name)


def test_others_of_the_same_user_are_kept_out() -> None:
    """Linux then gives its files in /proc, with memory and environment, to root."""
    program = "from jobdeck.executors.machine.private import keep_out; keep_out(); "
    program += "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "0", "PR_GET_DUMPABLE"


def test_settings_are_in_no_environment_of_a_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("JOBDECK_SECRET_KEY", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGSSLKEY")
    for name in secrets:
        monkeypatch.setenv(name, "k")
    monkeypatch.setenv("DECK_TOKEN", "of a job type")
    left = without_settings()
    assert not [name for name in left if name.startswith("JOBDECK_") or name in secrets]
    assert left["DECK_TOKEN"] == "of a job type"


def test_who_may_not_give_files_away_is_told_of_the_setting(
    tmp_path: Path, user: TaskUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    before = os.umask(0o022)
    try:
        with pytest.raises(TaskUserUnusable, match="may not give files") as caught:
            share(tmp_path, tmp_path / "work", (tmp_path / "storage").as_uri(), user)
    finally:
        os.umask(before)
    assert caught.value.field == "task_user"
