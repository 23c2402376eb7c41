"""Every snippet of docs/job-types.md runs, and is the example that it says it is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobdeck.jobs.registry import GROUP, load_types
from tests.architecture.tree import ROOT

GUIDE = (ROOT / "docs" / "job-types.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "word_count"


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def files_of(language: str) -> list[str]:
    """The example's files, without what is written to the tools that check them."""
    found = [p.read_text(encoding="utf-8") for p in sorted(EXAMPLE.iterdir()) if p.suffix == f".{language}"]
    return [re.sub(r"  # (type: ignore|noqa).*", "", text) for text in found]


def test_the_example_is_the_one_in_the_guide() -> None:
    assert snippets("toml") == files_of("toml")
    assert set(files_of("py")) <= set(snippets("python"))


def test_snippets_run(tmp_path: Path) -> None:
    program = [text for text in snippets("python") if text not in files_of("py")]
    assert len(program) == 5
    (tmp_path / "snippets.py").write_text("from word_count import WordCount\n\n" + "\n\n".join(program))
    (tmp_path / "a.txt").write_text("one two\n")
    run(tmp_path, "-W", "error", "snippets.py")


def test_the_examples_own_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", str(EXAMPLE))


def run(folder: Path, *argv: str) -> None:
    environment = {"PYTHONPATH": str(EXAMPLE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_entry_point_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / "word_count-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: word-count\nVersion: 1.0\n")
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"][GROUP].items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    found = load_types({}).get("word-count")
    assert found.params_schema()["required"] == ["files", "into"]
    assert found.job_type.type_doc() == "Count the words of text files."
