from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from jobdeck.cli.arguments.options import hoisted
from jobdeck.cli.show import text
from jobdeck.cli.show.bars import Bars
from jobdeck.cli.show.table import TableColumn, print_table
from jobdeck.wire.jobs import Job, ProgressView
from jobdeck.wire.steps import Step


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 ms"),
        (0.85, "850 ms"),
        (9.94, "9.9 s"),
        (12, "12 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert text.duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_999, "1.0 MB"), (123_456_789, "123 MB"), (5e15, "5000 TB")],
)
def test_sizes(count: float, told: str) -> None:
    assert text.size(count) == told


def test_percent_is_100_only_at_the_end() -> None:
    assert [text.percent(f) for f in (0.0, 0.0004, 0.0083, 0.5, 0.999, 1.0)] == [
        "0 %", "< 0.1 %", "0.8 %", "50 %", "99 %", "100 %",
    ]  # fmt: skip


def test_percent_is_0_only_before_the_beginning() -> None:
    assert [text.percent(f) for f in (0.000_01, 0.0083, 0.0099, 0.01)] == ["< 0.1 %", "0.8 %", "0.9 %", "1 %"]


def test_amounts_and_rates() -> None:
    rows = ProgressView(done=1200, total=4000, unit="rows", rate=12.5)
    assert (text.amount(rows), text.rate(rows)) == ("1 200 / 4 000 rows", "12.5 rows/s")
    moved = ProgressView(done=1_500_000, unit="bytes", rate=2e6)
    assert (text.amount(moved), text.rate(moved)) == ("1.5 MB", "2.0 MB/s")
    one = [
        ProgressView(done=1, unit="rows"),
        ProgressView(done=1, total=1, unit="rows"),
        ProgressView(done=1, unit="ms"),
    ]
    assert [text.amount(progress) for progress in one] == ["1 row", "1 / 1 row", "1 ms"]
    assert text.amount(ProgressView(done=1, total=1, unit="rows", fraction=1.0)) == "1 row"
    assert text.amount(ProgressView()) == text.rate(ProgressView()) == ""


@pytest.mark.parametrize(
    ("given", "put"),
    [
        (["-o", "ids", "jobs", "list"], ["jobs", "list", "-o", "ids"]),
        (["--url=u", "--project", "p", "run", "x", "--", "a"], ["run", "x", "--url=u", "--project", "p", "--", "a"]),
        (["jobs", "--url", "u"], ["jobs", "--url", "u"]),
        (["--help"], ["--help"]),
        (["--url"], ["--url"]),
        ([], []),
    ],
)
def test_options_before_the_verb_are_put_after_it(given: list[str], put: list[str]) -> None:
    assert hoisted(given) == put


def test_a_table_counts_cells_and_not_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    columns: list[TableColumn[tuple[str, int]]] = [
        TableColumn("A", lambda x: x[0], least=4),
        TableColumn("B", lambda x: x[1], right=True),
    ]
    print_table([("日本語日本語", 1), ("x", 22)], columns)
    assert capsys.readouterr().out.splitlines() == ["A          B", "日本語…    1", "x         22"]


def test_bars_show_job_and_steps() -> None:
    out = io.StringIO()
    job = Job(id=7, project="p", type="t", state="running", created_at=datetime.now(UTC))
    job.progress = ProgressView(fraction=0.5, done=5, total=10, unit="files")
    step = Step(index=0, name="load [all]", state="running", progress=ProgressView(fraction=0.25))
    with Bars(out) as bars:
        bars.show(job, [step])
    drawn = out.getvalue()
    for words in ("job 7 ▶ running", "50 %", "5 / 10 files", "▶ load [all]", "25 %"):
        assert words in drawn
