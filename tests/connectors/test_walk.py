"""Files are looked for within bounds: what the shell's patterns find, along no link out, and never for ever."""

from __future__ import annotations

import glob
import os
import time
from pathlib import Path

import pytest

from jobdeck.connectors.errors import DataFailure, PathNotAllowed
from jobdeck.connectors.files.finding.walk import Budget, matching
from jobdeck.connectors.files.located import locate
from jobdeck.core.environment import Environment


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "allowed"
    for name in ("a.csv", "b.txt", "x/a.csv", "x/y/a.csv", "x/y/z/b.csv", ".hidden/a.csv", "x/.h.csv", "_tmp/a.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1\n")
    return root


def found(pattern: str, root: Path, budget: Budget | None = None) -> list[str]:
    return matching(f"{root}/{pattern}", [os.path.realpath(root)], budget or Budget())


@pytest.mark.parametrize(
    "pattern",
    [
        "*.csv", "*", "*/*.csv", "x/*", "**/*.csv", "**/a.csv", "x/**/b.csv", "**/**/**/a.csv", "**/y/*", "[ab].*",
        "?.csv", ".*/*", "x/.*", "none*", "x/y/a.csv", "**/[!b].csv", "*/y/**/*.csv",
    ],
)  # fmt: skip
def test_it_finds_what_the_standard_library_finds(tree: Path, pattern: str) -> None:
    expected = {path.rstrip("/") for path in glob.glob(f"{tree}/{pattern}", recursive=True)}
    assert set(found(pattern, tree)) == expected


def test_links_in_a_circle_end(tree: Path) -> None:
    (tree / "x" / "up").symlink_to("..")
    (tree / "x" / "self").symlink_to(".")
    began = time.monotonic()
    assert len(found("**/**/**/*.csv", tree)) == 5
    assert len(locate(str(tree), Environment(allowed_paths=(str(tree),)))) == 5
    assert time.monotonic() - began < 2
    with pytest.raises(DataFailure, match="More than 10000 files and folders"):
        found("/".join(["*"] * 40), tree, Budget(10_000))


def test_no_pattern_leads_out(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.mkdir()
    (outside / "key.csv").write_text("1\n")
    (tree / "x" / "out").symlink_to(outside)
    environment = Environment(allowed_paths=(str(tree),))
    for pattern in ("**/key.csv", "*/*/key.csv", "x/*/key.csv", "x/out*/*"):
        assert found(pattern, tree) == []
    for entry in ("x/out/key.csv", "x/out/*", "x/out"):
        with pytest.raises(PathNotAllowed):
            locate(f"{tree}/{entry}", environment)
    assert {file.path for file in locate(str(tree), environment) if "secret" in file.path} == set()
    inside = tree / "link"
    inside.symlink_to(tree / "x")
    assert f"{tree}/link/a.csv" in found("*/a.csv", tree)


def test_looks_share_a_budget(tree: Path) -> None:
    budget = Budget(100)
    for _ in range(3):
        found("**/none.csv", tree, budget)
    with pytest.raises(DataFailure, match="More than 100 files") as refused:
        _again_and_again(tree, budget)
    assert "narrower" in str(refused.value.hint)


def _again_and_again(tree: Path, budget: Budget) -> None:
    for _ in range(100):
        found("**/none.csv", tree, budget)


def test_a_pattern_of_any_length_is_answered(tree: Path) -> None:
    began = time.monotonic()
    assert found("**/" * 50_000 + "a.csv", tree) == found("**/a.csv", tree)
    for pattern in ("*/" * 50_000, "**/*/" * 50_000):
        with pytest.raises(DataFailure, match="parts"):
            found(pattern, tree)
    assert found("*a" * 1000, tree) == []
    assert time.monotonic() - began < 5
