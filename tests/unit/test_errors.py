"""Fingerprints group like failures: what differs from one to the next does not count, what tells them apart does."""

from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.errors import ErrorInfo


def fingerprint(message: str, code: str = "bad_row", place: str = "import.load") -> str:
    return ErrorInfo(code, message, place=place).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Row 17 of 'a.csv' has 3 fields.", "Row 9 of 'other file.csv' has 12 fields."),
        ('Column "x" is missing.', 'Column "y z" is missing.'),
        ("Table «a» is gone.", "Table «b» is gone."),
        ("Object at 0x7f3a failed.", "Object at 0xdeadbeef failed."),
        (f"Part {uuid.UUID(int=7)} failed.", f"Part {uuid.UUID(int=2**127 + 0xABCDEF)} failed."),
        ("There is no file at /data/a/b.csv.", "There is no file at s3://bucket/x.csv."),
        ("lake/shop/orders is locked.", "lake/x is locked."),
        ("orders.csv: bad header.", "a.b-c.parquet: bad header."),
        (r"C:\data\x.csv is gone.", r"D:\y.csv is gone."),
        ("Commit 3f786850e387550f not found.", "Commit aeb1f0d2c9917f0e not found."),
    ],
)
def test_numbers_quotes_and_ids_do_not_count(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_words_code_and_place_count() -> None:
    assert fingerprint("The file is empty.") != fingerprint("The file is locked.")
    assert fingerprint("x", code="a") != fingerprint("x", code="b")
    assert fingerprint("x", place="a") != fingerprint("x", place="b")


@pytest.mark.parametrize("text", ["x" * 8000, "a." * 4000, "x y" * 3000, "/" * 8000, ".csv" * 2000, "'" + "x" * 8000])
def test_a_long_message_takes_no_time(text: str) -> None:
    began = time.process_time()
    fingerprint(text)
    assert time.process_time() - began < 0.2


@given(st.text(st.characters()))
def test_any_text_has_one_and_it_is_stable(message: str) -> None:
    """File names bring lone surrogates into messages."""
    first = fingerprint(message)
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert fingerprint(message) == first


def test_place_is_set_and_the_rest_kept() -> None:
    error = ErrorInfo("c", "m", "h", "t", False)
    assert error.at("import.load") == ErrorInfo("c", "m", "h", "t", False, "import.load")
