"""The recipe "Add a job filter" of CONTRIBUTING.md: two edits in a copy of the package, and a real server of it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import insert

from jobdeck.core.home import ADMIN_TOKEN
from jobdeck.store.migrate import migrate
from jobdeck.store.schema import jobs, principals, projects
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.sql.database import Database, Tx
from tests.architecture.tree import ROOT
from tests.docs.serving import Served, served, typed
from tests.store.test_segments import BLANK, row_of

PATIENCE = 120.0
DEFINITION = """\
    single("min_warnings", "Warnings at least", Between("warnings"), "number", "one",
           "It has at least so many warnings.", "How many warnings it has at least."),
"""
ARGUMENT = "    min_warnings: int | None\n"
SEALED, RECENT = range(1, 40), range(SIZE + 1, SIZE + 40)
EXPECTED = [i for i in (*reversed(RECENT), *reversed(SEALED)) if i % 4 >= 2]


@dataclass(frozen=True)
class Toy:
    """A server with the filter, and the jobs of its database: ended long ago and sealed, and recent ones."""

    server: Served
    folder: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def token(self) -> str:
        return (self.server.home / ADMIN_TOKEN).read_text().strip()

    def run(self, *command: str) -> str:
        code, output = typed([sys.executable, "-P", *command], self.folder, self.server.environment, PATIENCE)
        assert code == 0, output
        return output

    def sealed_columns(self) -> set[str]:
        with sqlite3.connect(self.server.home / "jobdeck.db", timeout=60) as connection:
            found = connection.execute("SELECT name FROM segment_columns WHERE segment_id = 0").fetchall()
        return {name for (name,) in found}


def apply_recipe(package: Path) -> None:
    """The edits of the recipe: the definition, and the client's argument."""
    for path, anchor, line in (
        (package / "core" / "filters" / "jobs.py", ")  # fmt: skip\nPARAMETERS", DEFINITION),
        (package / "client" / "jobs.py", "    sort: str | None\n\n\nclass Wishes", ARGUMENT),
    ):
        text = path.read_text(encoding="utf-8")
        assert text.count(anchor) == 1
        path.write_text(text.replace(anchor, line + anchor), encoding="utf-8")


async def fill(home: Path) -> None:
    """Jobs with 0 to 3 warnings; the old ones are sealed by the package as it is, which knows nothing of the filter."""
    database = Database(f"sqlite+aiosqlite:///{home / 'jobdeck.db'}")
    await migrate(database)
    rows = [
        {**row_of(BLANK), "id": i, "run_id": str(i), "type": "noop", "category": "test", "warnings": i % 4}
        for i in (*SEALED, *RECENT)
    ]

    async def write(tx: Tx) -> None:
        at = {"created_at": tx.now}
        await tx.connection.execute(insert(projects).values(id=1, name="default", title="", **at))
        await tx.connection.execute(insert(principals).values(id=1, kind="person", name="ann", **at))
        await tx.connection.execute(insert(jobs), rows)

    await database.transact(write)
    assert await Sealer(database)()
    await database.close()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    folder = tmp_path_factory.mktemp("toy")
    copy, home = folder / "src", folder / "home"
    shutil.copytree(ROOT / "src" / "jobdeck", copy / "jobdeck", ignore=shutil.ignore_patterns("__pycache__"))
    apply_recipe(copy / "jobdeck")
    home.mkdir(mode=0o700)
    asyncio.run(fill(home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(copy))
        with served(folder, home, "--workers=1") as server:
            yield Toy(server, folder)


def rest(toy: Toy) -> list[int]:
    answer = httpx2.get(
        f"{toy.server.url}/api/v1/jobs?min_warnings=2&limit=500&fields=id", headers=toy.headers, timeout=60
    )
    return [job["id"] for job in answer.raise_for_status().json()["items"]]


def client(toy: Toy) -> list[int]:
    code = "from jobdeck import Client; print([job.id for job in Client().jobs.list(min_warnings=2)])"
    found: list[int] = json.loads(toy.run("-c", code))
    return found


def cli(toy: Toy) -> list[int]:
    return [
        int(line)
        for line in toy.run("-m", "jobdeck.cli.main", "jobs", "list", "--min-warnings=2", "--all", "-oids").split()
    ]


def page(toy: Toy) -> list[int]:
    return [int(found) for found in re.findall(r'data-job="(\d+)"', shown(toy, "/jobs?min_warnings=2&limit=200"))]


def shown(toy: Toy, path: str, **headers: str) -> str:
    """A page for somebody who is logged in."""
    with httpx2.Client(base_url=toy.server.url, follow_redirects=True, timeout=60) as browser:
        browser.post("/login", data={"token": toy.token}, headers={"Origin": toy.server.url})
        return browser.get(path, headers=headers).raise_for_status().text


@pytest.mark.parametrize("ask", [rest, client, cli, page])
def test_sql_and_columns_give_the_same_jobs(toy: Toy, ask: Callable[[Toy], list[int]]) -> None:
    """While the old segment lacks the column, its jobs are asked themselves; then it is made anew, with the column."""
    assert ask(toy) == EXPECTED
    deadline = time.monotonic() + PATIENCE
    while "warnings" not in toy.sealed_columns():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ask(toy) == EXPECTED


def test_the_page_has_the_filter_in_its_menu_its_form_and_a_chip(toy: Toy) -> None:
    listed = shown(toy, "/jobs?min_warnings=2")
    assert "Warnings at least" in listed
    assert 'data-filter="min_warnings"' in listed
    form = shown(toy, "/jobs/filter/min_warnings?min_warnings=2", **{"x-jobdeck-fragment": "true"})
    assert 'name="min_warnings" value="2"' in form
    assert "How many warnings it has at least." in form


def test_counts_selections_and_help_have_it(toy: Toy) -> None:
    answer = httpx2.get(f"{toy.server.url}/api/v1/jobs/counts?min_warnings=2", headers=toy.headers, timeout=60)
    assert answer.json()["succeeded"] == len(EXPECTED)
    refused = httpx2.get(f"{toy.server.url}/api/v1/jobs?min_warnings=many", headers=toy.headers, timeout=60)
    assert refused.status_code == 422
    assert "--min-warnings" in toy.run("-m", "jobdeck.cli.main", "jobs", "list", "--help")
