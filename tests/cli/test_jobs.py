from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Shell
from tests.client.contract_server import ContractServer, Fault


def test_list_prints_a_table_json_or_ids(cli: Cli, server: ContractServer) -> None:
    server.add_job("pending", subject="lake/in.shop/orders")
    server.add_job("failed", error={"code": "x", "message": "Row\n7 is bad."}, type="import")
    table = cli("jobs", "list").stdout.splitlines()
    assert table[0].split()[:4] == ["ID", "STATE", "TYPE", "SUBJECT"]
    assert "✘ failed" in table[1]
    assert "Row 7 is bad." in table[1]
    assert "lake/in.shop/orders" in table[2]
    assert cli("jobs", "list", "-o", "ids").stdout == "2\n1\n"
    page = json.loads(cli("-o", "json", "jobs", "list").stdout)
    assert page == {"items": [server.view(2), server.view(1)], "next": None}


def test_list_takes_filters_and_says_that_there_is_more(cli: Cli, server: ContractServer) -> None:
    for _ in range(5):
        server.add_job("failed")
    done = cli(
        "job", "list", "--state", "failed,paused", "--state", "pending", "--limit", "2", "--since", "3d", "--sort", "id"
    )
    assert server.seen[0].query == {
        "state": ["failed", "paused", "pending"],
        "limit": ["2"],
        "since": ["3d"],
        "sort": ["id"],
    }
    assert done.stderr == "There are more than these 2; --limit shows more.\n"
    assert "--cursor 2 the next page" in cli("jobs", "list", "--limit", "2", "-o", "ids").stderr
    assert cli("jobs", "list", "--all", "-o", "ids", "--state", "failed").stdout.split() == ["5", "4", "3", "2", "1"]


@pytest.mark.parametrize("words", [["--project", "shop", "jobs", "list"], ["jobs", "list", "--project=shop"]])
def test_common_options_stand_anywhere(cli: Cli, server: ContractServer, words: list[str]) -> None:
    server.add_job(project="shop")
    server.add_job(project="other")
    assert cli(*words, "-o", "ids").stdout == "1\n"
    assert cli("jobs", "list", "-o", "ids", JOBDECK_PROJECT="other").stdout == "2\n"


def test_a_narrow_terminal_gets_the_columns_that_matter(cli: Cli, server: ContractServer) -> None:
    server.add_job("running", subject="lake/in.shop/" + "Ä" * 60)
    for width in (40, 60, 80, 120):
        lines = cli("jobs", "list", COLUMNS=str(width)).stdout.splitlines()
        assert max(len(line) for line in lines) <= width
        assert "▶ running" in lines[1]
    assert "Ä" * 60 in cli("jobs", "list").stdout


def test_text_of_others_cannot_command_the_terminal(cli: Cli, server: ContractServer) -> None:
    server.add_job("failed", subject="\x1b[2Jgone\x07", error={"code": "x", "message": "\x9b31m\u202egnp.exe"})
    for words in (["jobs", "list"], ["job", "show", "1"]):
        out = cli(*words).stdout
        assert not set("\x1b\x07\x9b\u202e") & set(out)
        assert "gone" in out


def test_show_tells_why_it_waits_and_what_can_be_done(cli: Cli, server: ContractServer) -> None:
    server.add_job("pending", wait=[{"reason": "claim", "text": "type:sleep is held by job 9.", "holders": [9]}])
    out = cli("job", "show", "1").stdout
    assert "type:sleep is held by job 9." in out
    assert "canceled, paused" in out
    assert json.loads(cli("job", "show", "1", "-o", "json").stdout) == server.view(1)


def test_ids_come_from_standard_input(shell: Shell, server: ContractServer) -> None:
    for _ in range(3):
        server.add_job("running")
    done = shell("jobs", "pause", "-", "--reason", "lunch", "-o", "ids", stdin="1 3\n3\n")
    assert (done.returncode, done.stdout) == (0, "1\n3\n")
    assert [job["state"] for job in server.jobs.values()] == ["paused", "running", "paused"]
    assert server.requests("POST", "/jobs/3/pause")[0].json == {"reason": "lunch"}
    assert shell("jobs", "pause", "-", stdin="").returncode == 0


def test_each_verb_reaches_its_endpoint(cli: Cli, server: ContractServer) -> None:
    server.add_job("running")
    assert cli("job", "pause", "1", "--resume-at", "2026-12-01T08:00").returncode == 0
    assert server.requests("POST", "/jobs/1/pause")[0].json == {"resume_at": "2026-12-01T08:00:00Z"}
    assert cli("jobs", "resume", "1").returncode == 0
    assert cli("job", "priority", "1", "--to", "9").returncode == 0
    assert server.requests("PATCH", "/jobs/1")[0].json == {"priority": 9}
    assert cli("job", "cancel", "1").returncode == 0
    assert cli("job", "delete", "1").stdout == "Job 1: deleted\n"
    server.jobs[1] = {"id": 1, "project": "p", "type": "t", "state": "failed", "created_at": "2026-01-01T00:00:00Z"}
    assert json.loads(cli("job", "restart", "1", "-o", "json").stdout)["state"] == "pending"


def test_steps_events_attempts_lineage_and_counts(cli: Cli, server: ContractServer) -> None:
    server.add_job("running")
    progress = {"fraction": 0.5, "done": 1200, "total": 2400, "unit": "rows", "rate": 600.0}
    server.steps[1] = [{"index": 0, "name": "load", "state": "running", "progress": progress}]
    server.change(1, state="paused")
    steps = cli("job", "steps", "1").stdout
    assert "load" in steps
    assert "50 %" in steps
    assert "600 rows/s" in steps
    assert "paused" in cli("job", "events", "1").stdout
    assert "failed" in cli("job", "attempts", "1").stdout
    assert "written by job 7" in cli("job", "lineage", "1").stdout
    assert json.loads(cli("jobs", "counts", "-o", "json").stdout) == {"pending": 3, "running": 1}


def test_logs_are_followed_to_the_end(cli: Cli, server: ContractServer) -> None:
    id_ = server.add_job("succeeded")
    line = {"at": "2026-11-20T07:34:00Z", "level": "error", "step": "load", "task": 2}
    server.logs[id_] = [[{**line, "text": "one\x1b[31m"}], [], [{**line, "level": "info", "text": "two"}]]
    out = cli("job", "logs", "-f", str(id_)).stdout.splitlines()
    assert [row.partition("07:34:00 ")[2] for row in out] == ["ERROR load[2]: one", "load[2]: two"]


def test_watch_prints_a_line_per_change(cli: Cli, server: ContractServer) -> None:
    half = {"state": "running", "started_at": "2026-11-20T07:34:00Z", "progress": {"fraction": 0.5}}
    server.add_job(
        "pending", wait=[{"reason": "turn", "text": "It waits for its turn."}], then=[{**half, "wait": []}, "succeeded"]
    )
    server.steps[1] = [
        {"index": 0, "name": "load", "state": "running", "progress": {"fraction": 0.5, "done": 5, "total": 10}}
    ]
    done = cli("job", "watch", "1")
    lines = [line.partition("job 1 ")[2] for line in done.stdout.splitlines()]
    assert lines[0] == "· pending, It waits for its turn."
    assert lines[1].startswith("▶ running, 50 %, load 5 / 10")
    assert lines[-1].startswith("✔ succeeded")
    assert done.returncode == 0


def test_watch_as_json_is_a_line_per_change(cli: Cli, server: ContractServer) -> None:
    server.add_job("pending", then=["running", "succeeded"])
    states = [json.loads(line)["state"] for line in cli("job", "watch", "1", "-o", "json").stdout.splitlines()]
    assert states[0] == "pending"
    assert states[-1] == "succeeded"


def test_events_are_followed_until_ctrl_c(shell: Shell, server: ContractServer) -> None:
    id_ = server.add_job("running")
    server.change(id_, state="pausing")
    process = shell.start("events", "--after", "0", "-o", "json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["data"] == {"state": "pausing"}
    server.change(id_, state="paused")
    assert json.loads(process.stdout.readline())["data"] == {"state": "paused"}
    assert shell.interrupt(process).returncode == 130


def test_listing_is_quick(shell: Shell, server: ContractServer) -> None:
    """In seconds of processor time, so that a busy machine does not count; it is about 0.25 s."""
    server.add_job()
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert shell("jobs", "list").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 1.0


def test_several_jobs_are_watched_at_once(cli: Cli, server: ContractServer) -> None:
    server.add_job("running", then=["running", "failed"])
    server.add_job("running", then=["succeeded"])
    done = cli("job", "watch", "1", "2")
    lines = [line.partition(" job ")[2] for line in done.stdout.splitlines()]
    assert lines[:2] == ["1 ▶ running", "2 ▶ running"]
    assert sorted(lines[2:]) == ["1 ✘ failed", "2 ✔ succeeded"]
    assert done.returncode == 1
    assert "Job 1 is failed." in done.stderr
    assert cli("job", "watch", "2", "1", "-o", "ids").stdout == "2\n1\n"
    assert cli("job", "watch", "-", stdin="").returncode == 0


def test_run_again(cli: Cli, server: ContractServer) -> None:
    server.add_job("failed")
    assert cli("job", "run-again", "1", "-p", "steps=2", "--priority", "8", "-o", "ids").stdout == "2\n"
    assert server.seen[-1].json == {"params": {"steps": 2}, "priority": 8}
    assert "runs again" in cli("job", "show", "2").stdout
    server.add_job("succeeded")
    assert cli("job", "run-again", "2", "--without", "seconds", "-p", "tasks=3").returncode == 0
    assert server.seen[-1].json == {"params": {"steps": 2, "tasks": 3}, "replace": True}
    assert cli("job", "run-again", "2", "--replace").returncode == 0
    assert server.seen[-1].json == {"params": {}, "replace": True}
    assert cli("job", "run-again", "2", "--replace", "-p", "tasks=3").returncode == 0
    assert server.seen[-1].json == {"params": {"tasks": 3}, "replace": True}
    unknown = cli("job", "run-again", "2", "--without", "nonsense")
    assert unknown.returncode == 2
    assert "job 2 has no parameter 'nonsense'" in unknown.stderr
    assert "seconds, steps" in unknown.stderr
    assert cli("job", "run-again", "9").returncode == 3
    assert cli("job", "run-again", "x").returncode == 2


def test_a_log_is_narrowed(cli: Cli, server: ContractServer) -> None:
    id_ = server.add_job("succeeded")
    done = cli("job", "logs", str(id_), "--level", "error", "--level", "stderr", "--step", "load", "--task", "0")
    assert "has logged nothing of this kind" in done.stderr
    wanted = {"level": ["error", "stderr"], "step": ["load"], "task": ["0"]}
    assert wanted.items() <= server.requests("GET", f"/jobs/{id_}/logs")[-1].query.items()


def test_a_log_is_downloaded(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    server.add_job("failed")
    assert cli("job", "logs", "1", "--download", "a.log").returncode == 0
    assert (tmp_path / "a.log").read_text() == "log of 1\n"
    assert cli("job", "logs", "1", "2", "--download", "a.log").returncode == 2
    assert cli("job", "logs", "1", "--download", "no/a.log").returncode == 2


def test_logs_are_downloaded_to_standard_output(shell: Shell, server: ContractServer) -> None:
    server.add_job("failed")
    server.add_job("failed")
    assert shell("job", "logs", "1", "2", "--download", "-").stdout == "log of 1\nlog of 2\n"


def test_a_long_list_as_json_comes_while_it_is_read(shell: Shell, server: ContractServer) -> None:
    for _ in range(600):
        server.add_job("succeeded")
    server.faults = [Fault("GET", "/nothing", "drop")]
    done = shell("jobs", "list", "--all", "-o", "json")
    assert [job["id"] for job in json.loads(done.stdout)["items"]] == list(range(600, 0, -1))
    assert done.stdout.count("\n") == 1


def test_ids_are_never_cut(cli: Cli, server: ContractServer) -> None:
    server.add_job("failed", type="t" * 40, subject="s" * 60, error={"code": "x", "message": "m" * 60})
    server.jobs[12345678901234] = {**server.jobs.pop(1), "id": 12345678901234}
    for width in (30, 60, 100):
        assert "12345678901234" in cli("jobs", "list", COLUMNS=str(width)).stdout
        assert "lake/in.shop/orders" in cli("objects", "list", COLUMNS=str(width)).stdout
