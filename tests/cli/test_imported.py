"""Imports on the command line against a real server: names of files, rejected rows, options as hints write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.client import ApiError
from jobdeck.wire.jobs import Job
from tests.cli.conftest import QuickShell
from tests.docs.serving import Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("imported")
    with served(folder, folder / "home") as started:
        yield started


def done(server: Served, file: str, said: str = "") -> Job:
    """The newest job of `file`."""
    with server.client() as client:
        return next(job for job in client.jobs.list(type="import") if file in job.description)


def rows(server: Served, ref: str) -> list[dict[str, Any]]:
    with server.client() as client:
        return client.objects.rows(ref).items


def test_messages_name_the_file_with_its_id(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "April orders.csv").write_text("id,n\n1,2\n1\n")
    jobdeck("import", "April orders.csv", "--into", "lake/a/broken", "--wait", status=1)
    job = done(server, "April orders.csv")
    ref = job.params["files"][0]
    assert job.description == f"Import April orders.csv ({ref}) into lake/a/broken"
    assert job.error is not None
    assert job.error.message.startswith(f"April orders.csv ({ref}): row 2 (line 3)")
    said = jobdeck("import", "April orders.csv", "--into", "lake/a/broken", "--dry-run", status=1)
    assert "✘ April orders.csv (file:" in said


def test_the_dry_run_names_files_beside_their_references(jobdeck: QuickShell, tmp_path: Path) -> None:
    (tmp_path / "x y.csv").write_text("id\n1\n")
    plan = json.loads(jobdeck("import", "x y.csv", "--into", "lake/a/plan", "--dry-run", "-o", "json"))
    (one,) = plan["preview"]["inputs"]
    assert (one["name"], one["object"].startswith("file:")) == ("x y.csv", True)
    assert f"x y.csv ({one['object']})" in plan["description"]
    assert "x y.csv (file:" in jobdeck("import", "x y.csv", "--into", "lake/a/plan", "--dry-run")


def test_the_name_stays_when_the_file_is_deleted(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "größe.csv").write_text("id\n1\n")
    jobdeck("import", "größe.csv", "--into", "lake/a/named", "--wait")
    job = done(server, "größe.csv")
    ref = job.params["files"][0]
    with server.client() as client:
        client.files.delete(int(ref.removeprefix("file:")))
        (read,) = client.jobs.lineage(job.id).inputs
        assert (read.object, read.name) == (ref, "größe.csv")
        assert [(i.object, i.name) for i in client.jobs.get(job.id).inputs] == [(ref, "größe.csv")]
        assert f"größe.csv ({ref})" in client.jobs.get(job.id).description
    assert f"größe.csv ({ref})" in jobdeck("job", "lineage", str(job.id))
    assert f"größe.csv ({ref}) (1 row)" in jobdeck("job", "show", str(job.id))


def test_a_name_that_would_break_a_line_is_written_out(server: Served, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("id\n1\n2,3\n")
    with server.client() as client, (tmp_path / "a").open("rb") as content:
        file = client.files.upload(content, name="two\nlines\x1b[31m\u202e.csv")
        job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/a/strange"})
        ended = client.jobs.wait(job.id, 60)
    assert ended.error is not None
    assert ended.error.message.startswith(f"two\\nlines\\x1b[31m\\u202e.csv (file:{file.id}): row 2")
    assert "\n" not in ended.description


def test_files_called_alike_in_different_words_fail_in_one_group(server: Served, tmp_path: Path) -> None:
    prints = set()
    with server.client() as client:
        for name in ("orders of may.csv", "a b c.csv", "plain"):
            (tmp_path / "f").write_text("id\n1\n2,3\n")
            with (tmp_path / "f").open("rb") as content:
                file = client.files.upload(content, name=name)
            job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/a/groups"})
            error = client.jobs.wait(job.id, 60).error
            assert error is not None
            prints.add(error.fingerprint)
    assert len(prints) == 1


def test_rejected_rows_are_listed_looked_at_and_downloaded(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("id,n\n1,2\n")
    (tmp_path / "bad rows.csv").write_text("id,n\n1,2\nx,3\n4\n" + "y,1\n" * 30)
    jobdeck(
        "import", "good.csv", "bad rows.csv", "--into", "lake/a/rejects", "--on-bad-row", "reject", "-p",
        "columns.id=int64", "--wait",
    )  # fmt: skip
    job = done(server, "good.csv")
    with server.client() as client:
        (file,) = client.rejects.list(job.id)
        assert (file.rows, file.attempt, file.source_count) == (32, 1, 1)
        ref = job.params["files"][1]
        assert [(s.file, s.name, s.rows) for s in file.sources] == [(ref, "bad rows.csv", 32)]
        found = list(client.rejects.rows(job.id, file.name))
        assert [(r.row, r.line, r.column, r.value) for r in found[:2]] == [(2, 3, "id", "x"), (3, 4, None, "4")]
        assert found[0].reason == "not an int64"
        assert {(r.file, r.name) for r in found} == {(ref, "bad rows.csv")}
        content = b"".join(client.rejects.read(job.id, file.name))
        assert len(content) == file.bytes
        assert [json.loads(line)["row"] for line in content.splitlines()] == [r.row for r in found]
        assert b"".join(client.rejects.read(job.id)) == content
        (warning,) = client.jobs.logs(job.id, level="warning")
        assert f"`jobdeck job rejects {job.id}` shows why" in warning.text
    said = jobdeck("job", "rejects", str(job.id))
    assert f"bad rows.csv ({ref})" in said
    assert "not an int64" in said
    assert len(json.loads(jobdeck("job", "rejects", str(job.id), "--rows", "5", "-o", "json"))["items"]) == 5
    assert jobdeck("job", "rejects", str(job.id), "-o", "ids").split() == [file.name]
    jobdeck("job", "rejects", str(job.id), "--download", "out")
    (written,) = (tmp_path / "out").iterdir()
    assert written.read_bytes() == content


def test_rejected_rows_are_for_those_who_may_see_rows_of_the_project(server: Served, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1\n2,3\n")
    with server.client() as client:
        file = client.files.upload(tmp_path / "a.csv")
        params = {"files": [f"file:{file.id}"], "into": "lake/a/mine", "on_bad_row": "reject"}
        job = client.jobs.wait(client.jobs.submit("import", params).id, 60)
        (rejected,) = client.rejects.list(job.id)
        client.projects.create("others")
        other = client.tokens.create("other", "admin", project="others").token
        viewer = client.tokens.create("viewer", "viewer", project="default").token
        for name in ("t99999-c0000", "../plan", "..%2fplan", f"{rejected.name}.jsonl", rejected.name[:-1], "x" * 99):
            with pytest.raises(ApiError) as missing:
                list(client.rejects.rows(job.id, name))
            assert missing.value.status == 404
        assert list(client.rejects.list(job.id, attempt=2)) == []
    from jobdeck.client import Client

    with Client(server.url, viewer) as client:
        assert len(list(client.rejects.rows(job.id, rejected.name))) == 1
    with Client(server.url, other) as client:
        for look in (
            lambda: list(client.rejects.list(job.id)),
            lambda: list(client.rejects.rows(job.id, rejected.name)),
            lambda: list(client.rejects.read(job.id)),
        ):
            with pytest.raises(ApiError) as hidden:
                look()
            assert hidden.value.status == 404


def test_a_hint_is_typed_as_it_is_written(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("id,name\n1,café\n".encode("windows-1252"))
    jobdeck("import", "latin.csv", "--into", "lake/a/latin", "-p", "csv.encoding=windows-1252", "--wait")
    jobdeck("import", "latin.csv", "--into", "lake/a/latin", "--csv-encoding", "windows-1252", "--wait")
    file = done(server, "latin.csv").params["files"][0]
    jobdeck(
        "run", "import", "-p", f'files=["{file}"]', "-p", "into=lake/a/latin", "-p", "csv.encoding=cp1252", "--wait"
    )
    assert [row["name"] for row in rows(server, "lake/a/latin")] == ["café"] * 3


def test_flags_and_parameters_are_merged(jobdeck: QuickShell, server: Served, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("1;a\n2;b\n")
    jobdeck("import", "m.csv", "--into", "lake/a/merged", "--no-csv-header", "-p", 'csv={"delimiter": ";"}', "--wait")
    assert done(server, "m.csv").params["csv"] == {"delimiter": ";", "header": False}
    assert len(rows(server, "lake/a/merged")) == 2


def test_the_same_option_twice_is_refused_before_anything_is_uploaded(
    jobdeck: QuickShell, server: Served, tmp_path: Path
) -> None:
    (tmp_path / "twice.csv").write_text("id\n1\n")
    base = ("import", "twice.csv", "--into", "lake/a/twice")
    for more in (
        ("--csv-delimiter", ";", "-p", "csv.delimiter=,"),
        ("-p", "csv.delimiter=;", "-p", 'csv={"delimiter": ","}'),
        ("--mode", "append", "-p", "mode=replace"),
        ("-p", "into=lake/a/other"),
        ("-p", 'files=["file:1"]'),
        ("-p", "csv=1", "-p", "csv.header=false"),
    ):
        jobdeck(*base, *more, status=2)
    with server.client() as client:
        assert not [file for file in client.files.list() if file.name == "twice.csv"]
    jobdeck(*base, "--mode", "append", "-p", "mode=append", "-p", "into=lake/a/twice", "--wait")


def test_running_again_with_a_part_of_a_group_keeps_the_rest(
    jobdeck: QuickShell, server: Served, tmp_path: Path
) -> None:
    (tmp_path / "again.csv").write_text("x\n1;2\n")
    jobdeck("import", "again.csv", "--into", "lake/a/again", "-p", "csv.header=false", "-p", "csv.skip_rows=1")
    first = done(server, "again.csv")
    jobdeck("job", "run-again", str(first.id), "-p", "csv.delimiter=;", "--wait")
    again = done(server, "again.csv")
    assert again.params["csv"] == {"header": False, "skip_rows": 1, "delimiter": ";"}


def test_a_dotted_name_in_json_is_refused_with_how_it_is_written(server: Served) -> None:
    with server.client() as client, pytest.raises(ApiError) as refused:
        client.jobs.submit("import", {"files": ["/x"], "into": "lake/a/b", "csv.encoding": "latin-1"})
    assert '{"csv": {"encoding": …}}' in str(refused.value.hint)
