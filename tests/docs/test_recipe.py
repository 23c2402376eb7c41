"""CONTRIBUTING's recipe for a resource, followed in a copy of the tree: seven new files, and no other is touched."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from jobdeck.core.home import ADMIN_TOKEN
from tests.architecture.tree import PACKAGE, ROOT
from tests.docs.serving import Served, served, typed

RECIPE = Path(__file__).with_name("recipe")
"""The files of the resource `notes`, where they go below `src/jobdeck`."""
MOST = 7
USE = """
from jobdeck.client import Client, NotFound
with Client() as client:
    print(client.notes.set("b", "from Python").by, [note.name for note in client.notes.list()])
    client.notes.remove("b")
    try:
        client.notes.remove("b")
    except NotFound as error:
        print(error.message)
"""


def recipe_files() -> dict[str, str]:
    """The content of each file, by its path below `src/jobdeck`; the migration follows the last one there is."""
    last = max(path.name[1:5] for path in (PACKAGE / "store" / "migrations" / "versions").glob("v*.py"))
    this = f"{int(last) + 1:04}"
    files = {}
    for path in sorted(RECIPE.rglob("*.txt")):
        name = path.relative_to(RECIPE).as_posix().removesuffix(".txt")
        text = path.read_text(encoding="utf-8")
        if "migrations" in name:
            name, text = name.replace("notes", f"v{this}_notes"), text.format(this=this, last=last)
        files[name] = text
    return files


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("recipe")
    shutil.copytree(PACKAGE, folder / "src" / "jobdeck", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in recipe_files().items():
        path = folder / "src" / "jobdeck" / name
        assert not path.exists()
        assert path.parent.is_dir()
        path.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder / "src"))
        with served(folder, folder / "home") as running:
            yield running


def test_the_recipe_is_these_files() -> None:
    every = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = every.partition("## Add a resource")[2].partition("\n## ")[0]
    told = re.findall(r"^\d\. `([\w/<>]+\.py)`", section, re.MULTILINE)
    there = [re.sub(r"v\d{4}_notes", "v<number>_notes", name) for name in recipe_files()]
    assert sorted(told) == sorted(there)
    assert len(told) <= MOST


def test_the_resource_answers_by_rest(server: Served) -> None:
    token = (server.home / ADMIN_TOKEN).read_text().strip()
    with httpx2.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}) as http:
        for name in ("x", "y"):
            assert http.put(f"/notes/{name}", json={"text": "kept"}).raise_for_status().json()["name"] == name
        first = http.get("/notes", params={"limit": 1}).json()
        assert [note["name"] for note in first["items"]] == ["x"]
        assert http.get("/notes", params={"cursor": first["next"]}).json()["items"][0]["name"] == "y"
        assert http.get("/notes", params={"colour": "red"}).status_code == 422
        assert {http.delete(f"/notes/{name}").status_code for name in ("x", "y")} == {204}
        assert "/api/v1/notes/{name}" in http.get("/openapi.json").json()["paths"]


def test_the_resource_is_in_the_python_client(server: Served) -> None:
    status, said = typed([sys.executable, "-P", "-c", USE], server.home, server.environment, 120)
    assert (status, said) == (0, "admin ['b']\nThere is no note 'b'.\n")


def test_the_resource_is_on_the_command_line(server: Served) -> None:
    def cli(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "jobdeck.cli.main", *words]
        status, said = typed(command, server.home, server.environment, 120)
        assert status == (3 if "error" in said else 0), said
        return said

    assert "notes " in cli("--help")
    assert "jobdeck notes set friday" in cli("notes", "set", "--help")
    assert cli("notes", "list") == "There are no notes.\n"
    assert cli("notes", "set", "c", "typed") == "c is kept.\n"
    assert [note["text"] for note in json.loads(cli("notes", "list", "-o", "json"))["items"]] == ["typed"]
    assert cli("notes", "remove", "c") == "c is removed.\n"
    assert cli("notes", "remove", "c") == (
        "error: There is no note 'c'.\nhint: `jobdeck notes list` lists those there are.\n"
    )
