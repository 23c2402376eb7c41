"""The lines that the script of a log asks for: numbered through all chunks, filtered, from any place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx2
import pytest

from tests.web.deck import Deck
from tests.web.job.shown import write_log
from tests.web.jobs.words import Desk

LEVELS = ("info", "info", "info", "warning")
LINES = [(LEVELS[n % 4], f"row {n}") for n in range(1, 5001)]


class Log:
    """The log of a job with five thousand lines in five chunks."""

    def __init__(self, http: httpx2.Client, job: int) -> None:
        self._http = http
        self.path = f"/jobs/{job}/logs/lines"

    def ask(self, **query: Any) -> dict[str, Any]:
        answer = self._http.get(self.path, params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def numbers(self, **query: Any) -> list[int]:
        return [line["n"] for line in self.ask(**query)["lines"]]

    def stream(self, **query: Any) -> AbstractContextManager[httpx2.Response]:
        return self._http.stream("GET", self.path, params=query)

    def status(self, **query: Any) -> int:
        return self._http.get(self.path, params=query).status_code


@pytest.fixture
def log(desk: Desk, deck: Deck) -> Iterator[Log]:
    job = desk.done("noop").id
    for chunk in range(5):
        write_log(deck, job, LINES[chunk * 1000 : (chunk + 1) * 1000], chunk + 1)
    with httpx2.Client(base_url=deck.url, headers={"Accept": "application/json"}, timeout=60) as http:
        http.post("/login", data={"token": deck.admin})
        yield Log(http, job)


def test_numbers_go_on_from_chunk_to_chunk(log: Log) -> None:
    last = log.ask(limit=3)
    assert [line["n"] for line in last["lines"]] == [4998, 4999, 5000]
    assert (last["total"], last["live"]) == (5000, False)
    assert log.numbers(before=last["earlier"], limit=2) == [4996, 4997]
    assert log.numbers(after=last["lines"][0]["c"]) == [4999, 5000]


def test_all_lines_come_once_going_backwards(log: Log) -> None:
    answer = log.ask(limit=700)
    seen = [line["n"] for line in answer["lines"]]
    while answer["earlier"] is not None:
        answer = log.ask(limit=700, before=answer["earlier"])
        seen = [line["n"] for line in answer["lines"]] + seen
    assert seen == list(range(1, 5001))


def test_beginning_has_nothing_in_front_and_goes_on(log: Log) -> None:
    beginning = log.ask(line=1, limit=10)
    assert [line["n"] for line in beginning["lines"]] == [1, 2, 3, 4, 5]
    assert beginning["earlier"] is None
    assert log.numbers(after=beginning["next"], limit=2) == [6, 7]


@pytest.mark.parametrize(("line", "first", "last"), [(2000, 1995, 2004), (2001, 1996, 2005), (5000, 4995, 5000)])
def test_around_a_line(log: Log, line: int, first: int, last: int) -> None:
    assert log.numbers(line=line, limit=10) == list(range(first, last + 1))


def test_line_beyond_the_end_shows_the_end(log: Log) -> None:
    assert log.numbers(line=99_999, limit=2) == [4999, 5000]


def test_filters_look_through_the_whole_log(log: Log) -> None:
    assert log.numbers(level="warning", limit=2) == [4995, 4999]
    assert log.numbers(q="ROW 77", limit=100) == [77, *range(770, 780)]
    # Tests write the lines of a chunk for its tasks 0 and 1 by turns, beginning with 0.
    assert log.numbers(q="row 1", task=1, step="sleep-0", limit=2) == [1996, 1998]
    assert log.numbers(step="elsewhere") == []
    assert log.ask(step="elsewhere")["earlier"] is None


def test_what_is_no_cursor_is_refused(log: Log) -> None:
    assert log.status(after="../../x") == 422
    assert log.status(before="abc") == 422
    assert log.status(line=0) == 422


def test_thousand_lines_travel_compressed(log: Log) -> None:
    with log.stream(limit=1000) as answer:
        content = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(content) <= 40_000
