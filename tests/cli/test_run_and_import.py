from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Cli
from tests.client.contract_server import ContractServer, Fault


def test_run_puts_parameters_together(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text('{"steps": 1, "name": "from file"}')
    done = cli(
        "run", "sleep", "--params-json", "@base.json", "-p", "steps=3", "--param", "name=Äpfel=rot", "-p", "list=[1,2]",
        "-p", 'text="5"', "-p", "big=123456789012345678901234567890", "-p", "none=NaN", "--tag", "a", "--tag", "b",
        "--priority", "8", "--project", "shop", "--deduplicate", "--key", "k1",
    )  # fmt: skip
    assert done.returncode == 0
    assert "Job 1 is accepted" in done.stdout
    sent = server.requests("POST", "/projects/shop/jobs")[0]
    assert sent.headers["idempotency-key"] == "k1"
    assert sent.json == {
        "type": "sleep", "tags": ["a", "b"], "priority": 8, "deduplicate": True,
        "params": {
            "steps": 3, "name": "Äpfel=rot", "list": [1, 2], "text": "5", "big": 123456789012345678901234567890,
            "none": "NaN",
        },
    }  # fmt: skip


def test_run_reads_parameters_from_standard_input(cli: Cli, server: ContractServer) -> None:
    done = cli("run", "sleep", "--params-json", "@-", "-o", "ids", stdin='{"seconds": 0}')
    assert done.stdout == "1\n"
    assert server.jobs[1]["params"] == {"seconds": 0}


def test_run_and_wait(cli: Cli, server: ContractServer) -> None:
    good = cli("run", "sleep", "--wait", "-p", 'then=["running", "succeeded"]')
    assert good.returncode == 0
    assert "✔ succeeded" in good.stdout
    error = {"code": "x", "message": "It broke.", "hint": "Mend it."}
    then = json.dumps(["running", {"state": "failed", "error": error}])
    bad = cli("run", "sleep", "--wait", "-p", f"then={then}", "-o", "json")
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["state"] == "failed"
    assert bad.stderr.count("It broke.") == 1
    assert "▶ running" in bad.stderr


def test_run_and_wait_survives_a_stream_that_breaks(cli: Cli, server: ContractServer) -> None:
    server.faults = [Fault("GET", "/events", "drop"), Fault("GET", "/jobs/1", "drop"), Fault("GET", "/events", "503")]
    assert cli("run", "sleep", "--wait", "-p", 'then=["running", "running", "succeeded"]').returncode == 0


def test_import_uploads_what_is_local_and_passes_the_rest(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_text("id;name\n1;x\n")
    done = cli(
        "import", "a b.csv", "file:12", "s3://bucket/c.parquet", "--into", "lake/in.shop/orders", "--mode", "upsert",
        "--key", "id,day", "--format", "csv", "--csv-delimiter", ";", "--no-csv-header", "--on-bad-row", "reject",
        "-p", 'columns=["id"]',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "uploaded a b.csv (12 B) as file:1" in done.stderr
    assert server.files[1][1] == b"id;name\n1;x\n"
    assert server.jobs[1]["type"] == "import"
    assert server.jobs[1]["params"] == {
        "files": ["file:1", "file:12", "s3://bucket/c.parquet"], "into": "lake/in.shop/orders", "mode": "upsert",
        "key": ["id", "day"], "format": "csv", "csv": {"delimiter": ";", "header": False}, "on_bad_row": "reject",
        "columns": ["id"],
    }  # fmt: skip


def test_import_of_server_paths_uploads_nothing(cli: Cli, server: ContractServer) -> None:
    assert cli("import", "/data/x.csv", "--into", "lake/a/b", "--server-path").returncode == 0
    assert server.jobs[1]["params"]["files"] == ["/data/x.csv"]
    assert not server.files


def test_import_uploads_nothing_when_one_file_is_missing(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    done = cli("import", "a.csv", "b.csv", "--into", "lake/a/b")
    assert done.returncode == 2
    assert not server.seen


def test_a_file_that_is_named_twice_is_loaded_once(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"id\n{name}\n")
    (tmp_path / "link.csv").symlink_to("b.csv")
    done = cli("import", "*.csv", "./a.csv", "file:12", "file:12", "--into", "lake/in.shop/orders")
    assert done.returncode == 0
    submitted = server.requests("POST", "/projects/default/jobs")[-1].json
    assert len(submitted["params"]["files"]) == len(set(submitted["params"]["files"])) == 3
    for name in ("link.csv", "./a.csv", "file:12"):
        assert f"{name} is named twice; it is loaded once" in done.stderr
