"""The fingerprint of a job type's code: what is in it, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobdeck.core.errors import tells_more
from jobdeck.executors.machine.code import code_of

FILES = {
    "deck_pkg/__init__.py": "",
    "deck_pkg/types.py": (
        "from . import near\nfrom .sub import (\n    deep,\n    other as o,\n)\nimport json, deck_beside\n"
    ),
    "deck_pkg/near.py": "A = 1\n",
    "deck_pkg/apart.py": "B = 1\n",
    "deck_pkg/sub/__init__.py": "from ..near import A\n",
    "deck_pkg/sub/deep.py": "def late():\n    import deck_pkg.lazy\n",
    "deck_pkg/sub/other.py": "",
    "deck_pkg/lazy.py": "C = 1\n",
    "deck_beside.py": "import deck_lib.code\n",
    "deck_lib/__init__.py": "",
    "deck_lib/code.py": "D = 1\n",
}
TYPE = "deck_pkg.types:Type"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("jobdeck.executors.machine.code._CODES", {})
    monkeypatch.setattr("jobdeck.executors.machine.code._LOOKS", {})
    return tmp_path


def test_what_belongs_to_the_code(tree: Path) -> None:
    files = {str(Path(file).relative_to(tree)) for file in code_of(TYPE).files}
    assert files == set(FILES) - {"deck_pkg/apart.py"}


@pytest.mark.parametrize(
    ("name", "counts"),
    [("deck_pkg/near.py", True), ("deck_pkg/lazy.py", True), ("deck_lib/code.py", True), ("deck_pkg/apart.py", False)],
)
def test_a_change_makes_another_version(tree: Path, name: str, *, counts: bool) -> None:
    before = code_of(TYPE).fingerprint
    (tree / name).write_text("E = 22\n")
    assert (code_of(TYPE).fingerprint != before) is counts
    (tree / name).write_text(FILES[name])
    assert code_of(TYPE).fingerprint == before
    if counts:
        assert code_of(TYPE).newest == str(tree / name)


def test_a_new_time_alone_is_no_change_and_nothing_is_read_twice(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = code_of(TYPE)
    monkeypatch.setattr("builtins.open", None)
    assert code_of(TYPE) is first
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(tree))
    os.utime(tree / "deck_pkg" / "near.py", ns=(1, 1))
    assert code_of(TYPE).fingerprint == first.fingerprint


def test_of_installed_modules_those_count_that_came_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    for name in ("deck_one.py", "deck_two.py", "deck_other.py"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text("import deck_two, deck_other\n")
    for dist, listing, names in (
        ("mine", "RECORD", "deck_one.py,sha256=x,1\ndeck_two.py,,\n"), ("other", "top_level.txt", "deck_other\n"),
    ):  # fmt: skip
        (site / f"{dist}-1.dist-info").mkdir()
        (site / f"{dist}-1.dist-info" / listing).write_text(names)
    monkeypatch.syspath_prepend(str(site))
    assert {Path(file).name for file in code_of("deck_one:Type").files} == {"deck_one.py", "deck_two.py"}


@pytest.mark.parametrize("place", ["jobdeck.jobs.noop:Noop", "json:X", ":X", "no_such_module_here:X", "__main__:X"])
def test_code_that_is_told_from_no_other(place: str) -> None:
    assert code_of(place).fingerprint == ""


def test_which_tracebacks_are_shown() -> None:
    own = '  File "/x/jobdeck/executors/harness.py", line 1, in f\n  File "/x/jobdeck/jobs/import_.py", line 2\n'
    author = own + '  File "/x/me/types.py", line 3, in load\n'
    assert tells_more("task_failed", author)
    assert not tells_more("bad_row", own)
    assert tells_more("unexpected_error", own)
    assert not tells_more("unexpected_error", None)
