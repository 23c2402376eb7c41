"""Output is cut into lines alike wherever it comes from, however it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.output.lines import MAX_LINE, LineCutter


def cut(*pieces: bytes) -> list[bytes]:
    cutter = LineCutter()
    lines = [line for piece in pieces for line in cutter.feed(piece)]
    return [*lines, *cutter.finish()]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a\r\nb\r\n",), [b"a", b"b"]),
        ((b"a", b"b\n", b"\n"), [b"ab", b""]),
        ((b"10 %\r20 %\r30 %\n",), [b"30 %"]),
        ((b"\r10 %\r20 %",), [b"20 %"]),
        ((b"10 %\r20 %\r",), [b"20 %"]),
        ((b"",), []),
    ],
)
def test_lines(pieces: tuple[bytes, ...], lines: list[bytes]) -> None:
    assert cut(*pieces) == lines


@given(st.lists(st.binary(max_size=20).map(lambda piece: piece.replace(b"\r", b""))))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    assert cut(*pieces) == cut(whole) == (expected if expected[-1] else expected[:-1])


def test_an_open_line_is_shown_once() -> None:
    cutter = LineCutter()
    assert list(cutter.feed(b"Overwrite? ")) == []
    assert cutter.open
    assert list(cutter.show()) == [b"Overwrite? "]
    assert list(cutter.show()) == []
    assert list(cutter.feed(b"\nnext\n")) == [b"next"], "only its end came"
    assert cutter.ended == 2


def test_of_a_bar_each_state_that_was_seen_is_told() -> None:
    cutter = LineCutter()
    list(cutter.feed(b"\r1 %\r2 %"))
    assert list(cutter.show()) == [b"2 %"]
    list(cutter.feed(b"\r2 %"))
    assert list(cutter.show()) == [], "nothing new"
    assert list(cutter.feed(b"\r3 %\n")) == [b"3 %"]


def test_no_line_is_without_bound() -> None:
    lines = cut(b"x" * (3 * MAX_LINE + 5))
    assert [len(line) for line in lines] == [MAX_LINE] * 3 + [5]
    assert cut("ü".encode() * MAX_LINE, b"\n")[0].decode(), "no character is cut in two"
