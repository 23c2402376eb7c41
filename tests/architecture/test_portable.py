"""The tree is of no machine and of no registry: no home paths, no addresses of package indexes, no big files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, kept_files, relative

MAX_BYTES = 400_000

# Written in pieces, so that this file does not contain what it forbids.
MACHINE_PATHS = re.compile(
    "|".join(["/ro" + r"ot/", "/ho" + r"me/[a-z]", "/Us" + r"ers/", "/wo" + r"rk/", "/op" + "t/py"])
)
REGISTRIES = re.compile(
    "|".join(
        [
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            "npm" + r"js\.(org|com)",
            "--(extra-)?index" + "-url",
            "--find" + "-links",
        ]
    )
)
ALLOWED_REGISTRY_WORDS = {"requirements/pin.py"}
"""It forbids the options by name."""


@pytest.mark.parametrize("path", kept_files(), ids=relative)
def test_file_names_no_machine_and_no_registry(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="replace")
    assert not MACHINE_PATHS.findall(text), "a path of one machine"
    if relative(path) not in ALLOWED_REGISTRY_WORDS:
        assert not REGISTRIES.findall(text), "an address of a package index"


def test_files_are_small() -> None:
    assert not {relative(path): path.stat().st_size for path in kept_files() if path.stat().st_size > MAX_BYTES}


@pytest.mark.parametrize("name", ["data.txt", "demo.txt", "test.txt"])
def test_requirements_are_pinned_with_hashes_and_nothing_else(name: str) -> None:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    requirement = re.compile(r"[a-z0-9-]+==[0-9a-z.+!]+( ; .+)? \\$")
    hashed = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?$")
    assert not [line for line in lines if not requirement.match(line) and not hashed.match(line)]


def test_the_demo_runs_on_the_versions_that_are_tested() -> None:
    assert _pins("demo.txt") | _pins("data.txt") <= _pins("test.txt")
    assert len(_pins("data.txt")) == 1
    assert len(_pins("demo.txt")) > 20


def _pins(name: str) -> set[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return {line.split(" ")[0] for line in lines if "==" in line}
