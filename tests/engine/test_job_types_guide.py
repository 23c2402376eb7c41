"""Every snippet of docs/job-types.md runs, and is the example that it says it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jobdeck
from jobdeck.jobs.registry import GROUP, load_types
from tests.architecture.tree import ROOT

GUIDE = (ROOT / "docs" / "job-types.md").read_text(encoding="utf-8")
EXAMPLES = [ROOT / "examples" / "shout", ROOT / "examples" / "word_count"]
EXAMPLE = EXAMPLES[-1]


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def files_of(language: str) -> list[str]:
    """The examples' files, without what is written to the tools that check them."""
    files = [path for example in EXAMPLES for path in sorted(example.iterdir())]
    found = [p.read_text(encoding="utf-8") for p in files if p.suffix == f".{language}"]
    return [re.sub(r"  # (type: ignore|noqa).*", "", text) for text in found]


def test_the_least_durable_job_is_short() -> None:
    job, crash = snippets("python")[:2]
    assert "run.checkpoint" in job
    assert len(job.splitlines()) <= 25
    assert "crash_points" in crash
    assert len([line for line in crash.splitlines() if line]) <= 8


def test_authors_import_from_the_package_itself() -> None:
    texts = [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.py"), ROOT / "README.md"]
    inner = re.compile(
        r"^\s*(?:from|import) jobdeck\.(?!testing\b|client\b|connectors\.(?:base|testing)\b)\w+|jobdeck\.core",
        re.MULTILINE,
    )
    assert {path.name: found for path in texts if (found := inner.findall(path.read_text(encoding="utf-8")))} == {}


def test_all_public_names_are_there() -> None:
    assert {name for name in jobdeck.__all__ if getattr(jobdeck, name) is None} == set()
    assert {name for name in jobdeck.__all__ if not name.startswith("_")} >= {
        name for text in snippets("python") for line in re.findall(r"^from jobdeck import (.*)$", text, re.MULTILINE)
        for name in line.split(", ")
    }  # fmt: skip


def test_the_example_is_the_one_in_the_guide() -> None:
    assert snippets("toml") == files_of("toml")
    assert set(files_of("py")) <= set(snippets("python"))


def test_snippets_run(tmp_path: Path) -> None:
    program = [text for text in snippets("python") if text not in files_of("py")]
    assert len(program) == 8
    (tmp_path / "snippets.py").write_text("from word_count import WordCount\n\n" + "\n\n".join(program))
    (tmp_path / "a.txt").write_text("one two\n")
    run(tmp_path, "-W", "error", "snippets.py")


def test_the_examples_own_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", *map(str, EXAMPLES))


def run(folder: Path, *argv: str) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(map(str, EXAMPLES)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, timeout=240, capture_output=True, text=True, check=False
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
