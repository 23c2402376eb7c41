"""From a failed import to its rows, as a person gets there on the command line: mend, put in its place, resume."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.cli.main import run
from jobdeck.client import ApiError
from jobdeck.client.data.files import FilesResource
from jobdeck.client.errors import Invalid as TooMuch
from jobdeck.wire.jobs import Job
from jobdeck.wire.problem import Problem
from tests.cli.conftest import QuickShell
from tests.docs.serving import Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("mended")
    (folder / "data").mkdir()
    (folder / "home").mkdir(mode=0o700)
    (folder / "home/jobdeck.toml").write_text(f'allowed_paths = ["{folder / "data"}"]\n')
    with served(folder, folder / "home") as started:
        yield started


def newest(server: Served) -> Job:
    with server.client() as client:
        return next(iter(client.jobs.list(type="import")))


def ids(server: Served, ref: str) -> list[int]:
    with server.client() as client:
        return sorted(row["id"] for row in client.objects.rows(ref).items)


def table(jobdeck: QuickShell, tmp_path: Path, ref: str) -> None:
    """A table whose columns say what fits."""
    (tmp_path / "first.csv").write_text("id,price\n1,1.5\n")
    jobdeck("import", "first.csv", "--into", ref, "--wait")


def test_an_uploaded_file_is_mended_and_the_job_resumed(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    table(jobdeck, tmp_path, "lake/m/up")
    (tmp_path / "ok.csv").write_text("id,price\n2,2.5\n")
    (tmp_path / "bad.csv").write_text("id,price\n3,oops\n")
    jobdeck("import", "ok.csv", "bad.csv", "--into", "lake/m/up", "--wait", status=1)
    job = newest(server)
    ref = job.params["files"][1]
    assert job.error is not None
    hint = str(job.error.hint)
    assert f"`jobdeck files replace {ref.removeprefix('file:')} FILE`" in hint
    assert f"`jobdeck job resume {job.id}`" in hint
    assert f"`jobdeck job run-again {job.id} -p on_bad_row=reject`" in hint
    assert ids(server, "lake/m/up") == [1]

    (tmp_path / "mended.csv").write_text("id,price\n3,3.5\n")
    said = jobdeck("files", "replace", ref, "mended.csv")
    assert [line.split()[:2] for line in said.splitlines()[-2:]] == [["2", "mended.csv"], ["1", "bad.csv"]]
    assert "succeeded" in jobdeck("job", "resume", str(job.id), "--wait")
    assert ids(server, "lake/m/up") == [1, 2, 3]
    with server.client() as client:
        read = {item.object: item.version for item in client.jobs.lineage(job.id).inputs}
        assert read[ref] == "2"
        assert client.jobs.get(job.id).attempt == 1
    assert "bad.csv" in jobdeck("files", "show", ref)
    jobdeck("files", "download", ref, "--version", "1", "--to", "back.csv")
    assert (tmp_path / "back.csv").read_text() == "id,price\n3,oops\n"


def test_a_file_of_the_server_is_mended_and_the_job_resumed(
    jobdeck: QuickShell, server: Served, tmp_path: Path
) -> None:
    table(jobdeck, tmp_path, "lake/m/path")
    data = server.home.parent / "data"
    (data / "a.csv").write_text("id,price\n2,2.5\n")
    (data / "b.csv").write_text("id,price\n3,oops\n")
    jobdeck("import", str(data / "*.csv"), "--into", "lake/m/path", "--server-path", "--wait", status=1)
    job = newest(server)
    assert job.error is not None
    assert f"Mend {data / 'b.csv'}, then resume the job (`jobdeck job resume {job.id}`)" in str(job.error.hint)
    (data / "b.csv").write_text("id,price\n3,3.5\n4,4.5\n")
    jobdeck("job", "resume", str(job.id))
    jobdeck("job", "watch", str(job.id))
    assert ids(server, "lake/m/path") == [1, 2, 3, 4]
    said = jobdeck("job", "logs", str(job.id))
    assert "b.csv changed since the last look" in said


def test_what_cannot_work_uploads_nothing(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "refused.csv").write_text("id\n1\n")
    base = ("import", "refused.csv", "--into")
    for more in (
        ("t.u",),
        ("lake/a/b", "--mode", "upsert"),
        ("lake/a/b", "--no-create"),
        ("lake/a/b", "-p", 'columns={"id": "int77"}'),
        ("lake/a/b", "-p", "csv.encoding=klingon"),
        ("nowhere/a/b",),
        ("lake/a/b", "--dry-run", "--mode", "upsert"),
        ("lake/a/b", "--project", "nowhere"),
    ):
        assert run([*base, *more]) != 0, more
    with server.client() as client:
        assert not [file for file in client.files.list() if file.name == "refused.csv"]
        assert not [job for job in client.jobs.list(type="import") if "refused.csv" in job.description]


def test_nothing_is_left_where_one_of_the_files_cannot_be_taken(
    jobdeck: QuickShell, server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good.csv", "large.csv"):
        (tmp_path / name).write_text(f"id\n{len(name)}\n")
    upload = FilesResource.upload

    def refused(self: FilesResource, source: Path, **more: Any) -> Any:
        if Path(source).name == "large.csv":
            raise TooMuch(Problem(status=413, detail="A file may have 5 bytes."))
        return upload(self, source, **more)

    monkeypatch.setattr(FilesResource, "upload", refused)
    assert run(["import", "good.csv", "large.csv", "--into", "lake/m/left"]) != 0
    with server.client() as client:
        assert "good.csv" not in [file.name for file in client.files.list()]


def test_nothing_is_uploaded_twice(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "once.csv").write_text("id\n77\n")
    (tmp_path / "copy.csv").write_text("id\n77\n")
    (tmp_path / "once.txt").write_text("id\n77\n")
    jobdeck("import", "once.csv", "copy.csv", "--into", "lake/m/twice", "--wait")
    jobdeck("import", "copy.csv", "once.csv", "--into", "lake/m/twice", "--wait")
    named = newest(server).params["files"]
    assert ids(server, "lake/m/twice") == [77, 77, 77, 77]
    jobdeck("import", "once.csv", "--into", "lake/m/twice", "--dry-run")
    with server.client() as client:
        kept = {f"file:{file.id}": file.name for file in client.files.list() if file.name in ("once.csv", "copy.csv")}
    assert [kept[ref] for ref in named] == ["copy.csv", "once.csv"], "messages name the files that were given"
    assert len(kept) == 2
    with server.client() as client:
        assert len(newest(server).inputs) == 2
    jobdeck("import", "once.txt", "--into", "lake/m/twice", "--dry-run")
    with server.client() as client:
        assert "once.txt" not in [file.name for file in client.files.list()], "a dry run leaves nothing"


def test_twice_from_cron_is_not_rows_twice(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "night.csv").write_text("id\n5\n")
    line = ("import", "night.csv", "--into", "lake/m/night", "--once", "night-2026-12-01", "--wait", "-o", "ids")
    first = jobdeck(*line)
    assert "before" not in jobdeck.errors
    assert jobdeck(*line) == first
    assert f"Job {first.split()[-1]} was submitted with this key before" in jobdeck.errors
    assert ids(server, "lake/m/night") == [5]
    (tmp_path / "night.csv").write_text("id\n6\n")
    assert run(list(line)) == 3
    assert ids(server, "lake/m/night") == [5], "the same key for other content is refused"
    with server.client() as client:
        assert len([file for file in client.files.list() if file.name == "night.csv"]) == 1, "and leaves nothing"


def test_rows_come_as_frames_and_page_by_page(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    lines = "".join(f"{i},{i}.25,2026-01-0{1 + i % 9}\n" for i in range(2500))
    (tmp_path / "many.csv").write_text("id,price,day\n" + lines)
    jobdeck("import", "many.csv", "--into", "lake/m/many", "--wait")
    with server.client() as client:
        table = client.objects.to_arrow("lake/m/many")
        assert table.num_rows == 2500
        assert sorted(table.column("id").to_pylist()) == list(range(2500))
        assert [str(f.type) for f in table.schema] == ["int64", "double", "date32[day]"]
        frame = client.objects.to_pandas("lake/m/many", columns=["price"])
        assert (list(frame.columns), len(frame), float(frame["price"].max())) == (["price"], 2500, 2499.25)
        assert sum(batch.num_rows for batch in client.objects.batches("lake/m/many")) == 2500
        with pytest.raises(ApiError) as unknown:
            client.objects.to_arrow("lake/m/many", columns=["nope"])
        assert unknown.value.problem.code == "column_not_found"
        page = client.objects.rows("lake/m/many", limit=1000)
        seen = [row["id"] for row in page.items]
        jobdeck("import", "many.csv", "--into", "lake/m/many", "--wait")
        while page.next is not None:
            page = client.objects.rows("lake/m/many", limit=700, cursor=page.next)
            seen += [row["id"] for row in page.items]
        assert sorted(seen) == list(range(2500)), "pages are of the version of the first one"
        version = client.objects.describe("lake/m/many").version
        assert client.objects.to_arrow("lake/m/many").num_rows == 5000
        assert client.objects.to_arrow("lake/m/many", version=0).num_rows == 2500
        assert version == "1"
    assert len(json.loads(jobdeck("objects", "rows", "lake/m/many", "--limit", "2200", "-o", "json"))["items"]) == 2200


def test_a_declared_type_is_that_of_the_table_or_refused(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("id,price\n1,free\n")
    jobdeck("import", "texts.csv", "--into", "lake/m/texts", "--wait")
    (tmp_path / "oops.csv").write_text("id,price\n2,oops\n")
    for more in ((), ("--on-bad-row", "reject")):
        words = ["import", "oops.csv", "--into", "lake/m/texts", "-p", 'columns={"price": "float64"}', *more]
        assert run(words) == 3
    assert ids(server, "lake/m/texts") == [1]
    jobdeck("import", "oops.csv", "--into", "lake/m/texts", "-p", 'columns={"price": "string"}', "--wait")
    assert ids(server, "lake/m/texts") == [1, 2]


def test_all_bad_rows_of_a_file_are_told_at_once(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "three.csv").write_text("id,price\n1\n2,2\n3,3,3\n4\n")
    jobdeck("import", "three.csv", "--into", "lake/m/three", "--wait", status=1)
    job = newest(server)
    assert job.error is not None
    assert "2 more rows do not fit: line 4, line 5." in str(job.error.hint)
    log = jobdeck("job", "logs", str(job.id), "--level", "error")
    assert [line for line in ("line 2", "line 4", "line 5") if f"({line})" in log] == ["line 2", "line 4", "line 5"]


def test_the_hint_can_be_typed_where_the_job_is_of_another_project(
    jobdeck: QuickShell, server: Served, tmp_path: Path
) -> None:
    """As it stands: a file's number does not tell its project."""
    jobdeck("projects", "create", "elsewhere")
    (tmp_path / "away.csv").write_text("id,price\n1\n")
    jobdeck("import", "away.csv", "--into", "lake/m/away", "--project", "elsewhere", "--wait", status=1)
    job = newest(server)
    assert job.error is not None
    typed = re.findall(r"`jobdeck ([^`]*)`", str(job.error.hint))[:2]
    (tmp_path / "FILE").write_text("id,price\n1,1\n")
    number = job.params["files"][0].removeprefix("file:")
    jobdeck("files", "show", number, status=3)
    assert f"There is no file {number} in project 'default'" in jobdeck.errors
    for line in typed:
        jobdeck(*line.split())
    with server.client() as client:
        assert client.jobs.wait(job.id, timeout=60).state == "succeeded"


def test_what_came_of_an_import_that_was_waited_for(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    """Into which version of which table how many rows came, and how many did not."""
    (tmp_path / "came.csv").write_text("id,price\n1,1\n2\n3,3\n")
    jobdeck("import", "came.csv", "--into", "lake/m/came", "--on-bad-row", "reject", "--wait")
    job = newest(server)
    assert f"Job {job.id} wrote lake/m/came (2 rows, version 0)." in jobdeck.errors
    assert "2 rows published as version 0 of lake/m/came" in jobdeck("job", "logs", str(job.id))
    jobdeck("job", "watch", str(job.id))
    assert f"`jobdeck job rejects {job.id}` shows the 1 row that it did not take." in jobdeck.errors


def test_who_replaces_a_file_is_told_which_jobs_failed_with_it(
    jobdeck: QuickShell, server: Served, tmp_path: Path
) -> None:
    (tmp_path / "twice.csv").write_text("id,price\n1\n")
    failed = []
    for table in ("a", "b"):
        jobdeck("import", "twice.csv", "--into", f"lake/m/{table}", "--wait", status=1)
        failed.append(newest(server))
    (tmp_path / "other.csv").write_text("id,price\n1\n2\n")
    jobdeck("import", "other.csv", "--into", "lake/m/other", "--wait", status=1)
    number = failed[0].params["files"][0].removeprefix("file:")
    (tmp_path / "twice.csv").write_text("id,price\n1,1\n")
    jobdeck("files", "replace", number, "twice.csv")
    both = " ".join(str(job.id) for job in failed)
    assert f"`jobdeck job resume {both}` loads what changed" in jobdeck.errors
    jobdeck("job", "resume", *both.split(), "--wait")
    jobdeck("files", "replace", number, "other.csv")
    assert "resume" not in jobdeck.errors


def test_the_fields_of_a_group_of_parameters_are_listed_as_they_are_given(jobdeck: QuickShell) -> None:
    told = jobdeck("types", "show", "import")
    assert "\ncsv.encoding " in told
    assert "Such as latin-1" in told
