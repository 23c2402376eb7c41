"""Operating many jobs at once from the command line, against a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from jobdeck.access.first_admin import first_admin
from jobdeck.api.app import create_app
from jobdeck.api.http.server.serving import address_of, listen, serve
from jobdeck.client import Client
from jobdeck.engine.bulk_runner import BulkRunner
from jobdeck.engine.loops import Loops as Background
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.services.jobs.bulk_permission import permission_lost
from jobdeck.services.services import Services
from jobdeck.store.migrate import migrate
from jobdeck.store.sql.database import Database
from jobdeck.wire.jobs import SubmitRequest
from tests.api.conftest import make_core
from tests.cli.conftest import Cli, Done, Shell
from tests.cli.test_terminal import Terminal


class Installed:
    """A server without workers in a thread of its own; what was asked is carried out once `carry_out` was called."""

    def __init__(self, folder: Path) -> None:
        self._url = f"sqlite+aiosqlite:///{folder / 'jobdeck.db'}"
        self._folder = folder
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._started.wait(30)
        self.client = Client(self.url, self.token)

    async def _serve(self) -> None:
        await self._prepare()
        core = make_core(self._url, self._folder)
        self.token = await first_admin(core.database, self._folder)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        leadership = Leadership(core.database, "me")
        self.runner = BulkRunner(core.database, leadership, core.control, permission_lost)
        self._leading, self._carrying = Background([leadership]), Background([self.runner])
        await self._leading.start()
        listening = listen("127.0.0.1", 0)
        self.url = address_of(listening)
        await serve(create_app(Services(core)), listening, self._started.set, self._stop)
        await self._carrying.stop()
        await self._leading.stop()
        await core.database.close()

    async def _prepare(self) -> None:
        database = Database(self._url)
        await migrate(database)
        await database.close()

    def carry_out(self) -> None:
        self.do(self._carrying.start())

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self.client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def jobs(self, count: int, **more: Any) -> list[int]:
        return self.client.jobs.submit_ids([SubmitRequest(type="noop", **more)] * count)

    def states(self) -> list[str]:
        return [job.state for job in self.client.jobs.list(sort="created_at")]


@pytest.fixture(autouse=True, scope="module")
def silent() -> Iterator[None]:
    """The server shares the standard output with the command line here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Installed]:
    """A server that takes in everything and carries nothing out."""
    started = Installed(tmp_path)
    yield started
    started.close()


@pytest.fixture
def installed(idle: Installed) -> Installed:
    idle.carry_out()
    return idle


@pytest.fixture
def call(installed: Installed, cli: Cli, tmp_path: Path) -> Any:
    """The command line as a script calls it, without a terminal."""

    def called(*words: str, **more: Any) -> Done:
        return cli(*words, JOBDECK_URL=installed.url, JOBDECK_TOKEN=installed.token, **more)

    return called


def terminal(installed: Installed, folder: Path, *words: str) -> Terminal:
    return Terminal(Shell(installed.url, folder), *words, "--token", installed.token)


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [("--state", "pausd", "state: it must be one of"), ("--since", "nonsense", "since: write 30m")],
)
def test_a_wrong_filter_is_told_by_its_name_alone(call: Any, flag: str, value: str, said: str) -> None:
    done = call("jobs", "cancel", flag, value, "--yes")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {said}")


def test_filters_name_the_jobs(call: Any, installed: Installed) -> None:
    installed.jobs(3, tags=["old"])
    installed.jobs(2)
    done = call("jobs", "cancel", "--tag", "old", "--type", "noop", "--since", "1d", "--reason", "tidy", "--yes")
    assert done.returncode == 0
    assert done.stdout == "3 of 3 jobs canceled.\n"
    assert "3 of 3 jobs can be canceled." in done.stderr
    assert installed.states() == ["canceled"] * 3 + ["pending"] * 2
    assert installed.client.jobs.get(1).reason == "tidy"


def test_who_is_left_out_is_told_with_the_reason(call: Any, installed: Installed) -> None:
    ids = installed.jobs(4)
    installed.client.jobs.cancel(ids[0])
    done = call("jobs", "pause", "--state", "pending,canceled", "-y")
    assert done.returncode == 0, "all that could be paused was"
    assert "3 of 4 jobs can be paused." in done.stderr
    assert f"1 not: it was canceled ({ids[0]})" in done.stderr
    assert done.stdout == "3 of 4 jobs paused, 1 skipped.\n"
    nothing = call("jobs", "pause", "--state", "paused", "-y")
    assert nothing.returncode == 3
    assert "0 of 3 jobs can be paused." in nothing.stderr
    assert call("jobs", "resume", "--state", "failed", "-y").returncode == 0
    assert call("jobs", "resume", "--state", "paused", "-y").stdout == "3 of 3 jobs resumed.\n"


def test_without_a_terminal_it_is_not_done_unless_told(call: Any, installed: Installed) -> None:
    installed.jobs(2)
    done = call("jobs", "cancel", "--state", "pending")
    assert done.returncode == 2
    assert "2 of 2 jobs can be canceled." in done.stderr
    assert "--yes" in done.stderr
    assert installed.states() == ["pending"] * 2
    assert [b.state for b in installed.client.bulk.list()] == []


def test_ids_as_one_operation(call: Any, installed: Installed) -> None:
    ids = installed.jobs(3)
    words = " ".join(map(str, ids))
    done = call("job", "priority", "-", "--to", "8", "--bulk", "--yes", stdin=words)
    assert done.stdout == "3 of 3 jobs given priority 8.\n"
    told = json.loads(call("job", "cancel", *map(str, ids[:2]), "77", "--bulk", "--yes", "-o", "json").stdout)
    assert (told["done"], told["skipped"], told["total"], told["operation"]) == (2, 1, 3, "cancel")
    assert call("job", "delete", "-", "--bulk", "-y", "-o", "ids", stdin=words).stdout.split() == ["1", "2"]
    assert installed.states() == ["pending"]


def test_ids_alone_are_operated_one_by_one_as_ever(call: Any, installed: Installed) -> None:
    installed.jobs(2)
    assert "Job 1: ■ canceled" in call("job", "cancel", "1").stdout
    assert list(installed.client.bulk.list()) == []


@pytest.mark.parametrize("words", [["1", "--state", "failed"], ["--project", "x"], ["--bulk"], ["--yes"]])
def test_it_must_be_clear_which_jobs(call: Any, installed: Installed, words: list[str]) -> None:
    installed.jobs(1)
    assert call("jobs", "cancel", *words).returncode == 2
    assert installed.states() == ["pending"]


def test_the_project_narrows_the_filters(call: Any, installed: Installed) -> None:
    installed.client.projects.create("shop")
    installed.client.jobs.submit("noop", project="shop")
    installed.jobs(1)
    assert call("jobs", "cancel", "--type", "noop", "--project", "shop", "-y").stdout == "1 of 1 job canceled.\n"
    assert installed.states() == ["canceled", "pending"]


def test_a_person_types_the_number(installed: Installed, tmp_path: Path) -> None:
    installed.jobs(12)
    drawn = ""
    for typed, states in (("y", "pending"), ("11", "pending"), ("12", "canceled")):
        asked = terminal(installed, tmp_path, "jobs", "cancel", "--state", "pending")
        asked.wait_for("Cancel 12 of 12 jobs? Type 12 to go on:")
        asked.type(f"{typed}\n")
        code, drawn = asked.end()
        assert code == 0, drawn
        assert ("Nothing was done." in drawn) == (states == "pending")
        assert installed.states() == [states] * 12
    assert "12/12" in drawn
    assert "12 of 12 jobs canceled." in drawn


def test_ctrl_c_stops_it_and_says_what_was_done(idle: Installed, tmp_path: Path) -> None:
    idle.jobs(5)
    running = terminal(idle, tmp_path, "jobs", "cancel", "--state", "pending", "--yes")
    running.wait_for("0/5")
    (bulk,) = idle.client.bulk.list()
    idle.do(idle.runner.advance(bulk.id, 2))
    running.wait_for("2/5")
    running.process.send_signal(signal.SIGINT)
    code, drawn = running.end()
    assert code == 130
    assert "Stopped. 2 of 5 jobs canceled, 3 not touched." in drawn
    assert "Traceback" not in drawn
    idle.carry_out()
    assert idle.client.bulk.get(bulk.id).state == "stopped"
    assert idle.states() == ["canceled"] * 2 + ["pending"] * 3


def test_a_job_that_could_and_then_could_not_makes_the_exit_code(idle: Installed, tmp_path: Path) -> None:
    ids = idle.jobs(2)
    running = terminal(idle, tmp_path, "jobs", "pause", "--state", "pending", "--yes")
    running.wait_for("0/2")
    idle.client.jobs.cancel(ids[0])
    idle.carry_out()
    code, drawn = running.end()
    assert code == 3
    assert "1 of 2 jobs paused, 1 skipped." in drawn
    assert "it was canceled" in drawn


def test_the_client_waits_no_longer_than_told(idle: Installed) -> None:
    plan = idle.client.bulk.preview("cancel", ids=idle.jobs(1))
    assert plan.token not in repr(plan)
    idle.client.bulk.run(plan)
    with pytest.raises(TimeoutError, match="still has 1 jobs to do"):
        idle.client.bulk.wait(plan.id, 0.1)
    assert [i.outcome for i in idle.client.bulk.items(plan.id)] == ["waiting"]
