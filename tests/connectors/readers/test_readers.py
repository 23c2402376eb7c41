"""Files of every format, written by four tools, mangled or random, are read right or refused clearly: the short form.

The long one is `make hunt`."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from jobdeck.connectors.errors import DataFailure
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, rows
from tests.connectors.readers import differences, ours
from tests.connectors.readers.canon import agree, canon, shape_lost
from tests.connectors.readers.made import Table
from tests.connectors.readers.trial import HOWS, make, trial
from tests.connectors.readers.writers import FORMATS

TRIALS = 8
IMPORTS = 3


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("format", FORMATS)
def test_every_difference_has_a_name(tmp_path: Path, format: str, how: str) -> None:
    accepted = 0
    for seed in range(TRIALS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        verdict = trial(seed, folder, format=format, how=how)
        if verdict is not None:
            content = verdict.made.path.read_bytes()[:500]
            assert verdict.finding is None, f"trial {seed}, {verdict.made.tool}: {verdict.finding}; {content!r}"
            accepted += verdict.outcome == "accepted"
    assert accepted or how != "written"


@pytest.mark.parametrize("format", FORMATS)
def test_the_whole_import_gives_the_same(env: Environment, data: Path, format: str) -> None:
    """What ends in the table is what the readers read; what they refuse leaves no table."""
    for seed in range(IMPORTS):
        folder = data / f"{format}{seed}"
        folder.mkdir()
        made = make(random.Random(seed), folder, format, random.Random(seed).choice(["written", "mutated"]))
        if made is None:
            continue
        table = f"lake/b/{format}{seed}"
        found = ours.read(made.path, params=made.params)
        job = Job(env, {"files": [str(made.path)], "into": table, **made.params})
        if not isinstance(found, Table):
            with pytest.raises(DataFailure) as refused:
                job.run()
            assert refused.value.code == found.code
            continue
        job.run()
        there = [{k: canon(v) for k, v in row.items()} for row in rows(env, table)]
        read = [dict(zip(found.names, row, strict=True)) for row in zip(*found.columns, strict=True)]
        assert sorted(map(repr, there)) == sorted(map(repr, read))


def test_differences_are_argued_once() -> None:
    entries = [*differences.ALL, *differences.NAMES]
    assert len({entry.name for entry in entries}) == len(entries)
    assert all(len(entry.why) > 60 for entry in entries)


def test_what_is_compared_is_exact() -> None:
    apart: list[tuple[Any, Any]] = [
        (2**53, 2**53 + 1), (0.1, 0.2), (True, 1), (None, ""), ("9007199254740993", float(2**53)),
    ]  # fmt: skip
    same: list[tuple[Any, Any]] = [
        ("007", 7), ("1e5", 100000.0), ("TRUE", True), (1, 1.0), ('{"a": [1]}', {"a": [1]}),
    ]  # fmt: skip
    for left, right in apart:
        assert not agree(left, right), (left, right)
    for left, right in same:
        assert agree(left, right), (left, right)


def test_words_that_lost_their_shape_are_found() -> None:
    lost: list[tuple[str, Any]] = [
        ("+420", 420.0), ("007", 7), (" 5", 5), ("12E3", 12000.0), ("1_000", 1000), ("0x1f", 31), (" true", True),
    ]  # fmt: skip
    kept: list[tuple[str, Any]] = [
        ("0", 0), ("-0.5", -0.5), (".5", 0.5), ("1e5", 1e5), ("1.5E+300", 1.5e300), ("inf", math.inf), ("007", "007"),
    ]  # fmt: skip
    for word, value in lost:
        assert shape_lost(Table(["a"], [[value]]), Table(["a"], [[word]])), word
    for word, value in kept:
        assert not shape_lost(Table(["a"], [[value]]), Table(["a"], [[word]])), word
