"""How answers look: on a terminal with colours and times from now, in a pipe plainly and exactly."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.progress import BarColumn

from jobdeck.cli.arguments.ids import numbers
from jobdeck.cli.exits import UsageError
from jobdeck.cli.jobs.plan import CHANGE_COLUMNS
from jobdeck.cli.jobs.verbs import _told
from jobdeck.cli.jobs.watching import verdict
from jobdeck.cli.show import terminal, text
from jobdeck.cli.show.bars import Bars
from jobdeck.cli.show.reasons import reasons
from jobdeck.cli.show.table import TableColumn, print_facts, print_table
from jobdeck.core.life.bulk import BulkOperation
from jobdeck.core.life.states import State
from jobdeck.wire.jobs import Job, ProgressView
from jobdeck.wire.plans import Change
from jobdeck.wire.steps import Step
from tests.cli.conftest import Cli, Shell
from tests.cli.test_terminal import Terminal
from tests.client.contract_server import ContractServer

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "now"), (12, "12 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
        (86399, "23 h ago"), (86400 * 2.5, "2 d ago"), (-5, "in 5 s"), (-7200, "in 2 h"), (86400 * 40, "2026-10-11"),
    ],
)  # fmt: skip
def test_times_are_told_from_now(seconds: float, told: str) -> None:
    assert text.ago(NOW - timedelta(seconds=seconds), NOW) == told


@pytest.mark.parametrize(("credits", "told"), [(4.97106e-05, "less than 0.01"), (0.014, "0.01"), (12.3456, "12.35")])
def test_credits_are_rounded(credits: float, told: str) -> None:
    assert text.cost(credits) == told


def test_what_is_whole_is_told_by_what_was_done() -> None:
    assert text.amount(ProgressView(fraction=1.0, done=123, total=145, unit="bytes")) == "123 B"
    assert text.amount(ProgressView(fraction=0.9, done=123, total=145, unit="bytes")) == "123 B / 145 B"
    assert text.amount(ProgressView(fraction=1.0, done=0, total=3, unit="rows")) == "0 / 3 rows"


def test_times_of_events_are_times_and_numbers_stay() -> None:
    told = text.told({"at": 1796145238816673, "state": "failed", "count": 1796145238816673, "not_before": None})
    assert re.fullmatch(r"at=2026-12-01 \d\d:\d\d:58, count=1796145238816673", told)


def test_one_warning_is_one(server: ContractServer, cli: Cli) -> None:
    server.add_job("succeeded", warnings=1)
    server.add_job("succeeded", warnings=2)
    shown = cli("jobs", "list").stdout
    assert "(1 warning)" in shown
    assert "(2 warnings)" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("jobs list --state failed", "No job matches."), ("files list", "has no files"), ("pauses list", "Nothing is"),
        ("configurations list", "has no configurations"), ("limits list", "No limit is set."),
    ],
)  # fmt: skip
def test_an_empty_list_says_so_and_prints_nothing(cli: Cli, words: str, told: str) -> None:
    done = cli(*words.split())
    assert (done.returncode, done.stdout) == (0, "")
    assert told in done.stderr
    assert cli(*words.split(), "-o", "ids").stderr == ""
    assert '"items": []' in cli(*words.split(), "-o", "json").stdout


def test_a_terminal_has_colours_and_times_from_now_and_a_pipe_has_neither(shell: Shell, server: ContractServer) -> None:
    server.add_job("failed", error={"code": "bad_row", "message": "orders.csv, line 3: 'a lot' is no number"})
    code, drawn = Terminal(shell, "jobs", "list").end()
    assert code == 0
    assert re.search(r"\x1b\[[0-9;]*31m✘ failed", drawn)
    assert re.search(r"\d+ (s|min|h|d) ago|now|\d{4}-\d\d-\d\d ", COLOUR.sub("", drawn))
    assert "orders.csv, line 3: 'a" in drawn, "the error has room where other columns are empty"
    piped = shell("jobs", "list").stdout
    assert "\x1b" not in piped
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", piped)


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda _out=None: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.paint("failed", "red") == "\x1b[31mfailed\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.paint("failed", "red") == "failed"


def test_lines_break_between_words_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda _out=None: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "20")
    sentence = "orders.csv, line 3, column price: 'a lot' does not fit [bad_row]"
    broken = terminal.wrapped(f"  {sentence}", 4).splitlines()
    assert " ".join(line.strip() for line in broken) == sentence
    assert all(len(line) <= 40 for line in broken)
    assert broken[1].startswith("    ")
    print_facts([("hint", sentence), ("url", "http://example.com/" + "x" * 60)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("      ")
    assert "http://example.com/" + "x" * 60 in " ".join(lines), "a long word stays whole"


def test_wide_letters_count_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda _out=None: True)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "20")
    assert terminal.wrapped("日本語日本語日 日本語日本語日 x", 2).splitlines() == [
        "日本語日本語日 日本語日本語日",
        "  x",
    ]


def test_a_column_with_nothing_in_it_makes_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    columns: list[TableColumn[str]] = [
        TableColumn("A", lambda x: x),
        TableColumn("B", lambda _x: "", drop=1),
        TableColumn("C", lambda x: x),
    ]
    print_table(["1"], columns)
    assert capsys.readouterr().out.splitlines() == ["A  C", "1  1"]


def test_numbers_of_rows_stand_on_the_right(cli: Cli, server: ContractServer) -> None:
    from jobdeck.cli.objects import _row_columns
    from jobdeck.wire.objects import Rows

    rows = Rows.model_validate(
        {"columns": [], "items": [{"n": 1, "t": "a", "b": True}, {"n": None, "t": "7", "b": False}]}
    )
    assert [column.right for column in _row_columns(rows)] == [True, False, False]


def test_a_submit_prints_the_page_of_the_job(cli: Cli, server: ContractServer) -> None:
    done = cli("run", "noop")
    assert f"{server.url}/jobs/1" in done.stdout.split()
    assert cli("run", "noop", "-o", "ids").stdout == "2\n"


def test_operations_tell_what_happens_and_no_priority(cli: Cli, server: ContractServer) -> None:
    id_ = str(server.add_job("running"))
    assert "priority" not in cli("job", "pause", id_).stdout
    assert "priority 9" in cli("job", "priority", str(server.add_job("pending")), "--to", "9").stdout


def test_a_job_of_several_steps_names_the_step_that_is_counted(cli: Cli, server: ContractServer) -> None:
    counted = {"fraction": 0.185, "done": 555, "total": 3000, "unit": "ms"}
    id_ = server.add_job("running", progress={**counted, "fraction": 0.09})
    server.steps[id_] = [
        {"index": 0, "name": "first", "state": "running", "progress": counted},
        {"index": 1, "name": "second", "state": "pending"},
    ]
    shown = cli("job", "show", str(id_)).stdout
    assert "9 %, in step first: 555 / 3 000 ms" in shown


def test_a_bar_has_the_colour_of_its_state() -> None:
    job = Job(id=7, project="p", type="t", state="failed", created_at=NOW)
    step = Step(index=0, name="load", state="running", progress=ProgressView(fraction=0.25))
    with Bars(io.StringIO()) as bars:
        bars.show(job, [step])
        bar, tasks = bars._progress.columns[1], bars._progress.tasks
        assert isinstance(bar, BarColumn)
        styles = [bar.render(task).complete_style for task in tasks]
    assert styles == ["red", "cyan"]


def test_a_job_that_is_to_begin_anew_is_restarting_and_no_other() -> None:
    job = Job(id=7, project="p", type="t", state="canceling", created_at=NOW)
    assert _told(job, BulkOperation.RESTART) == "□ restarting"
    assert _told(job, BulkOperation.CANCEL) == "□ canceling"
    job.state = State.PENDING
    assert _told(job, BulkOperation.RESTART) == "· pending"


@pytest.mark.parametrize(
    ("state", "cause", "reason", "said"),
    [
        ("paused", "user", "lunch", "Paused by a person: lunch."),
        ("pausing", "user", None, "Being paused by a person."),
        ("canceled", "user", "wrong file.", "Canceled by a person: wrong file."),
        ("canceled", "parent", None, "Canceled because its parent was canceled."),
        ("canceling", "quota", None, "Being stopped because a quota was reached."),
        ("canceled", "jobdeck", None, "Canceled by jobdeck."),
    ],
)
def test_who_stopped_a_job_and_why_is_a_sentence(state: str, cause: str, reason: str | None, said: str) -> None:
    job = Job(id=7, project="p", type="t", state=state, cause=cause, reason=reason, created_at=NOW)
    assert list(reasons(job)) == [said]


def test_where_the_warnings_of_a_job_are(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(id=7, project="p", type="t", state="succeeded", warnings=2, created_at=NOW)
    said = "hint: `jobdeck job logs 7 --level warning` shows its 2 warnings."
    assert list(reasons(job)) == [said]
    assert verdict(job) == 0
    assert capsys.readouterr().err == f"Job 7 is succeeded.\n  {said}\n"
    assert verdict(job.model_copy(update={"warnings": 0})) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": True, "b": None}, [1], ('{"a": true, "b": null}', "[1]")), ("x", "y", ("x", "y")),
        ("3", 3, ('"3"', "3")), (True, False, ("true", "false")), (None, "ä", ("null", '"ä"')),
    ],
)  # fmt: skip
def test_differences_are_told_as_they_are_typed(old: object, new: object, told: tuple[str, str]) -> None:
    change = Change(path="p", kind="changed", old=old, new=new)
    assert tuple(column.value(change) for column in CHANGE_COLUMNS[1:]) == told


@pytest.mark.parametrize(("typed", "number"), [("#12", 12), ("12", 12)])
def test_an_id_may_be_written_as_people_write_it(typed: str, number: int) -> None:
    assert numbers((typed,)) == [number]


@pytest.mark.parametrize("typed", ["##12", "#", "#a", "12#"])
def test_what_only_looks_like_an_id_is_none(typed: str) -> None:
    with pytest.raises(UsageError, match=f"'{typed}' is not a job id"):
        numbers((typed,))
