"""Pages are found where they lie: CONTRIBUTING.md says how to make one, and what cannot work is said at the start."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter

from jobdeck.web import discovery
from jobdeck.web.discovery import PageWithoutRouter, PathTaken
from tests.architecture.tree import ROOT
from tests.web.deck import Deck

BLOCK = re.compile(r"`(page\.\w+)`(?:(?!```).)*?```\w+\n(.*?)```", re.DOTALL)
TOOLS = ("hatch_build.py", "package.json", "package-lock.json", "tsconfig.json")


def recipe() -> dict[str, str]:
    """The files of the page that the recipe makes."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Add a page\n")[2].partition("\n## ")[0]
    return {name: textwrap.dedent(content) for name, content in BLOCK.findall(text)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources, which can be bundled."""
    copy = tmp_path / "tree"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in TOOLS:
        shutil.copy(ROOT / name, copy)
    (copy / "node_modules").symlink_to(ROOT / "node_modules")
    return copy


def test_a_page_is_the_files_of_its_folder(tree: Path, tmp_path: Path) -> None:
    folder = tree / "src" / "jobdeck" / "web" / "pages" / "hello"
    folder.mkdir()
    files = recipe()
    assert set(files) == {"page.py", "page.html", "page.ts", "page.css"}
    for name, content in files.items():
        (folder / name).write_text(content)
    subprocess.run([sys.executable, "hatch_build.py"], cwd=tree, check=True, capture_output=True)
    deck = Deck(tmp_path / "home", {"PYTHONPATH": str(tree / "src")})
    deck.start()
    own = {"Authorization": f"Bearer {deck.admin}"}
    try:
        with httpx2.Client(base_url=deck.url, headers=own, timeout=60) as http:
            page = http.get("/hello", headers={"Accept": "text/html"})
            assert page.status_code == 200, page.text
            assert "Hello, admin" in page.text
            for kind, within in (("js", "document.title"), ("css", ".hello")):
                named = re.search(rf'"(/static/hello-\w+\.{kind})"', page.text)
                assert named, f"the page names no {kind}"
                asset = http.get(named[1])
                assert asset.status_code == 200
                assert within in asset.text
    finally:
        deck.stop()


def _answering(path: str) -> APIRouter:
    router = APIRouter()
    router.add_api_route(path, lambda: None, name=f"of {path}")
    return router


def test_a_path_belongs_to_one_page() -> None:
    discovery.check_paths([("a.page", _answering("/a/{id}")), ("b.page", _answering("/a/{id}/more"))])
    with pytest.raises(PathTaken, match=r"GET /a/\{name\} is answered by a\.page\.of .* and by b\.page\.of "):
        discovery.check_paths([("a.page", _answering("/a/{id}")), ("b.page", _answering("/a/{name}"))])


def test_a_page_without_router_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "idle"
    folder.mkdir()
    (folder / "page.py").write_text("")
    monkeypatch.setattr("jobdeck.web.pages.__path__", [str(tmp_path)])
    with pytest.raises(PageWithoutRouter, match=r"jobdeck\.web\.pages\.idle\.page has no `router`"):
        discovery.found()
