"""Every command of the texts runs, in order, as a newcomer would type it, against a real server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.serving import Served, served, typed
from tests.docs.sources import blocks

README = ROOT / "README.md"
DEFAULT = "http://127.0.0.1:8380"
AS_SLOW_AS_A_READER = 'while [ -n "$(jobdeck jobs list --state pausing,canceling -o ids)" ]; do :; done\n'
"""Between two blocks a person reads on; what was asked for in the first has happened by then."""


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Served]]:
    """A folder to type commands in, and the server that the tour starts with `jobdeck up`."""
    folder = tmp_path_factory.mktemp("tour")
    with served(folder, folder / ".jobdeck") as server:
        yield folder, server


def test_the_tour_runs_from_beginning_to_end(tour: tuple[Path, Served]) -> None:
    folder, server = tour
    script = AS_SLOW_AS_A_READER.join(_at(server, block) for block in blocks(README, "sh"))
    assert script.count("jobdeck ") > 10
    status, output = typed(["bash", "-euo", "pipefail", "-x", "-c", script], folder, server.environment, 250)
    assert status == 0, output[-5000:]
    for told in ("Lamp", "‖ paused", "lunch", "sleep_failed", "It needs object:lake/shop/orders for itself"):
        assert told in output


def test_the_python_of_the_tour_runs(tour: tuple[Path, Served]) -> None:
    folder, server = tour
    programs = blocks(README, "python")
    assert programs
    for program in programs:
        command = [sys.executable, "-W", "error", "-c", _at(server, program)]
        status, output = typed(command, folder, server.environment, 250)
        assert status == 0, output


def test_the_tour_did_what_it_says(tour: tuple[Path, Served]) -> None:
    _, server = tour
    with server.client() as client:
        assert client.objects.describe("lake/shop/orders").rows == 10  # imported, and appended once more
        states = {job.state for job in client.jobs.list()}
    assert {"succeeded", "canceled"} <= states


def _at(server: Served, block: str) -> str:
    """The block as typed by somebody whose server has this address."""
    return block.replace(DEFAULT, server.url)
