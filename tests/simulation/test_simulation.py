"""A thousand simulated worlds, those that once were broken, and that the same seed is the same world."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT

KEPT = {
    0: "filled in below",
}


def simulate(*arguments: str, hash_seed: str = "0") -> str:
    """What the command prints; it runs in a process of its own, where sets have the order of a replay."""
    command = [sys.executable, "-m", "tests.simulation.run", *arguments]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.timeout(400)
def test_no_world_is_broken() -> None:
    said = simulate("--seeds", "0:1000", "--most", "3")
    assert said.startswith("1000 worlds, 0 broken"), said


@pytest.mark.parametrize("seed", KEPT)
def test_a_world_that_was_broken_is_not_any_more(seed: int) -> None:
    assert "1 worlds, 0 broken" in simulate("--seed", str(seed)), KEPT[seed]


def test_a_seed_is_the_same_world_every_time() -> None:
    """In every process, whatever order sets of strings have there."""
    said = [simulate("--seed", "49", "--verbose", hash_seed=h) for h in ("0", "7")]
    digests = {re.search("digest (.*)", text)[1] for text in said}  # type: ignore[index]
    assert len(digests) == 1
    assert "is killed" in said[0] or "freezes" in said[0], "the world is too calm to show it"
