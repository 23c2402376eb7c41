"""Dry runs, failures, timelines and differences on the command line, against a real server with a real worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import QuickShell
from tests.docs.serving import Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("details")
    with served(folder, folder / "home") as started:
        yield started


def test_a_dry_run_shows_the_plan_and_submits_nothing(jobdeck: QuickShell, server: Served) -> None:
    said = jobdeck("run", "sleep", "-p", "steps=2", "-p", "tasks=3", "-p", "write=lake/a/b", "--dry-run")
    assert "nothing was submitted" in said
    assert "object:lake/a/b" in said
    assert "sleep-1" in said
    plan = json.loads(jobdeck("run", "sleep", "-p", "tasks=3", "--dry-run", "-o", "json"))
    assert [step["tasks"] for step in plan["steps"]] == [3]
    jobdeck("run", "sleep", "-p", "seconds=-1", "--dry-run", status=3)
    with server.client() as client:
        assert list(client.jobs.list()) == []


def test_a_dry_run_of_an_import_leaves_no_file_behind(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,x\n")
    (tmp_path / "b.csv").write_text("id,name\nonly one\n")
    said = jobdeck("import", "a.csv", "--into", "lake/shop/orders", "--dry-run")
    assert "1 row of 1 file (csv, 12 B) become the new table lake/shop/orders." in said
    assert "int64" in said
    said = jobdeck("import", "a.csv", "b.csv", "--into", "lake/shop/orders", "--dry-run", status=1)
    assert "✘ b.csv (file:" in said
    assert "Nothing of 2 files (29 B) would come into lake/shop/orders." in said
    with server.client() as client:
        assert list(client.files.list()) == []
        assert list(client.objects.list()) == []


def test_failures_and_how_to_retry_them(jobdeck: QuickShell) -> None:
    for _ in range(2):
        jobdeck("run", "sleep", "-p", "seconds=0", "-p", "fail_step=0", "-p", "fail_times=1", "--wait", status=1)
    (fingerprint,) = jobdeck("failures", "-o", "ids", "--type", "sleep").split()
    assert fingerprint in jobdeck("failures", "--since", "1h")
    assert "sleep_failed" in jobdeck("failures", "--since", "1h", "-o", "json")
    assert jobdeck("failures", "list", "--q", "nothing like it", "-o", "ids") == ""
    shown = jobdeck("failures", "show", fingerprint)
    assert "failures    2" in shown
    (command,) = [line.partition("retry all")[2].strip() for line in shown.splitlines() if "retry all" in line]
    jobs = jobdeck(*command.partition("|")[0].split()[1:]).split()
    assert len(jobs) == 2
    jobdeck("job", "resume", *jobs)
    jobdeck("job", "watch", *jobs)
    assert json.loads(jobdeck("failures", "show", fingerprint, "-o", "json"))["jobs_failed_now"] == 0
    jobdeck("failures", "show", "0" * 12, status=3)


def test_tasks_timeline_and_difference(jobdeck: QuickShell) -> None:
    old = jobdeck("run", "sleep", "-p", "seconds=0", "-p", "tasks=3", "--wait", "-o", "json")
    job = str(json.loads(old.splitlines()[-1])["id"])
    assert jobdeck("job", "tasks", job, "0", "-o", "ids").split() == ["0", "1", "2"]
    assert "✔" in jobdeck("job", "show", job)
    assert "succeeded" in jobdeck("job", "tasks", job, "0", "--state", "succeeded", "--slowest")
    assert jobdeck("job", "tasks", job, "0", "--state", "failed", "-o", "ids") == ""
    assert "type:sleep" in jobdeck("job", "claims", job)
    assert set(jobdeck("job", "claims", job, "-o", "ids").split()) == {"instance", "project:default", "type:sleep"}
    said = jobdeck("job", "timeline", job)
    assert "waiting" in said
    assert "tasks: 3 succeeded" in said
    again = jobdeck("job", "run-again", job, "-p", "tasks=4", "-o", "ids").strip()
    said = jobdeck("job", "diff", again)
    assert f"From job {job} to job {again}:" in said
    assert "tasks" in said
    assert "has the parameters of" in jobdeck("job", "diff", again, "--with", again)


def failed(jobdeck: QuickShell) -> str:
    """The id of a job that fails whenever it runs."""
    wanted = ("run", "sleep", "-p", "seconds=0", "-p", "fail_step=0", "-p", "fail_times=9", "--wait", "-o", "ids")
    return jobdeck(*wanted, status=1).split()[-1]


def test_a_long_error_is_cut_for_people_alone(jobdeck: QuickShell, server: Served) -> None:
    from jobdeck.cli.show.reasons import reasons, why

    id_ = failed(jobdeck)
    with server.client() as client:
        job = client.jobs.get(int(id_))
    assert job.error is not None
    job.error.message, job.error.traceback = "x" * 41_000, None
    assert "x" * 41_000 + " [" in "\n".join(reasons(job, whole=True))
    shown = "\n".join(reasons(job))
    assert len(shown) < 3000
    assert "(39,000 more characters)" in shown
    assert f"`jobdeck job show {id_} --full`" in shown
    assert len(why(job)) < 400
    assert jobdeck("job", "show", id_, "--full").startswith(f"Job {id_}: ")


def test_ids_of_the_jobs_of_a_failure_can_be_piped(jobdeck: QuickShell, server: Served) -> None:
    ids = [failed(jobdeck) for _ in range(2)]
    with server.client() as client:
        error = client.jobs.get(int(ids[0])).error
    assert error is not None
    assert set(ids) <= set(jobdeck("failures", "show", str(error.fingerprint), "-o", "ids").split())
