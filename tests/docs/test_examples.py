"""The examples run, against a real server; they assert what they say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.serving import Served, served, typed

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("examples")
    with served(folder, folder / "home") as serving:
        yield serving


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path, server: Served) -> None:
    status, output = typed([sys.executable, "-W", "error", str(path)], server.home, server.environment, 250)
    assert status == 0, output
    assert output
