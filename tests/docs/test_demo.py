"""`jobdeck demo` brings every row, is harmless the second time, and would tell if a row were missing."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from jobdeck.cli.demo.data import Dataset, datasets
from jobdeck.cli.demo.proof import content, prove
from jobdeck.cli.demo.server import PortTaken, demo_server
from tests.docs.serving import free_port, typed

ALL_ROWS = {"airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_115, "flights": 336_776}


@pytest.fixture(scope="module")
def tables() -> dict[str, Dataset]:
    return {table.name: table for table in datasets()}


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
        again = typed(demo(home, "--exit"), tmp_path, environment(), 100)
        serving.terminate()
        serving.stdout.read()
        assert_all_proved(serving.wait(30), "".join(first))
    assert_all_proved(*again)
    assert "it did so before" in again[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(command[-1].rpartition("=")[2])), 1).close()


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
