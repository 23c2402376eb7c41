"""An author's first hour: a package of job types is installed with pip, and its jobs run on a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck import JobdeckError
from jobdeck.client import Client
from jobdeck.wire.jobs import Job
from tests.architecture.tree import ROOT
from tests.docs.serving import Served, served, typed

EXAMPLE = ROOT / "examples" / "word_count"
PATIENCE = 120.0
TYPES = textwrap.dedent('''
    """Job types as an author would write them; everything comes from `jobdeck`."""

    import asyncio
    import os
    import time
    from pathlib import Path

    from pydantic import BaseModel, SecretStr

    from author_words import VERSION
    from jobdeck import Client, JobType, Run, TaskFailure, read_table, step, write_table


    class Place(BaseModel):
        folder: Path
        files: list[Path] = []


    class Flaky(JobType):
        name = "flaky"
        Params = Place

        @step(each=lambda params: params.files, retries=1, backoff=600)
        def load(self, run: Run, file: Path) -> str:
            return self.look_up(file)

        def look_up(self, file: Path) -> str:
            raise ConnectionError(f"no answer about {file.name}")


    class Foreseen(JobType):
        name = "foreseen"

        @step
        def work(self, run: Run) -> None:
            raise TaskFailure("The shop is closed.", hint="Come back tomorrow.")


    class Versions(JobType):
        name = "versions"
        Params = Place

        @step
        def first(self, run: Run) -> str:
            (self.params.folder / "began").touch()
            while not (self.params.folder / "go").exists():
                time.sleep(0.02)
            return VERSION

        @step
        def second(self, run: Run) -> list[str]:
            return [run.result("first"), VERSION]


    class Orders(JobType):
        name = "orders"

        @step
        async def write(self, run: Run) -> int:
            await asyncio.sleep(0.001)
            rows = [{"day": "mon", "price": 2.5}, {"day": "tue", "price": 4.0}]
            return write_table(run, "lake/shop/prices", rows).rows

        @step
        def add(self, run: Run) -> float:
            total = sum(sum(b.column("price").to_pylist()) for b in read_table(run, "lake/shop/prices"))
            return total


    class Deck(BaseModel):
        url: str
        token: SecretStr


    class Parent(JobType):
        name = "parent"
        Params = Deck

        @step
        def start(self, run: Run) -> list[int]:
            assert os.environ["SHOP_REGION"] == "north"
            assert not {"JOBDECK_HOME", "JOBDECK_URL", "JOBDECK_TOKEN"} & set(os.environ)
            with Client(self.params.url, self.params.token.get_secret_value()) as deck:
                return [
                    deck.jobs.submit("sleep", {"seconds": 0.1}, parent=run.job, key=f"{run.job}-{run.attempt}-{n}").id
                    for n in range(2)
                ]
''')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example and a package of the author's own."""
    folder = tmp_path_factory.mktemp("author")
    copied = shutil.copytree(EXAMPLE, folder / "word_count")
    own = folder / "author"
    own.mkdir()
    (own / "author_types.py").write_text(TYPES)
    (own / "author_words.py").write_text('VERSION = "one"\n')
    names = {"flaky": "Flaky", "foreseen": "Foreseen", "versions": "Versions", "orders": "Orders", "parent": "Parent"}
    points = "".join(f'{name} = "author_types:{kind}"\n' for name, kind in names.items())
    (own / "pyproject.toml").write_text(
        '[project]\nname = "author"\nversion = "1.0"\ndependencies = ["jobdeck"]\n\n'
        f'[project.entry-points."jobdeck.job_types"]\n{points}\n'
        '[tool.setuptools]\npy-modules = ["author_types", "author_words"]\n'
    )
    quiet = ["--no-deps", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "--target", str(folder / "site"), str(copied), str(own)],
        check=True, timeout=120,
    )  # fmt: skip
    return folder / "site"


@pytest.fixture(scope="module")
def server(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        patch.setenv("SHOP_REGION", "north")
        with served(folder, folder / "home") as started:
            yield started


def shell(server: Served, *words: str) -> str:
    return typed(["jobdeck", *words], server.home.parent, server.environment, PATIENCE)[1]


def until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.05)
    return found


def reached(client: Client, job: int, state: str) -> Job:
    found = client.jobs.wait(job)
    assert found.state == state, found.error
    return found


def test_what_pip_installed_is_listed_and_runs(server: Served, tmp_path: Path) -> None:
    assert "Count the words of text files." in shell(server, "types", "list")
    (tmp_path / "a.txt").write_text("one two\n")
    with server.client() as client:
        job = client.jobs.submit("word-count", {"files": [str(tmp_path / "a.txt")], "into": str(tmp_path / "n.json")})
        assert reached(client, job.id, "succeeded").result == {"words": 2}
        assert client.jobs.steps(job.id)[0].tasks[0].key == "a.txt"


def test_between_two_tries_a_job_says_what_failed_and_which_try_comes(server: Served, tmp_path: Path) -> None:
    files = [str(tmp_path / "in" / name) for name in ("x.csv", "y.csv")]
    with server.client() as client:
        job = client.jobs.submit("flaky", {"folder": str(tmp_path), "files": files}).id
        waits = until(lambda: (found := client.jobs.get(job)).retry and found, "it waits for its next try")
    assert (waits.retry.step, waits.retry.number, waits.retry.of) == ("load", 2, 2)
    assert waits.retry.at == waits.wait[0].until
    told = f"Step 'load', task {waits.retry.key}, failed: ConnectionError: no answer about {waits.retry.key}."
    assert waits.wait[0].text == f"{told} Try 2 of 2 comes then."
    assert waits.retry.key in ("x.csv", "y.csv")
    shown = shell(server, "job", "show", str(job))
    assert told in " ".join(shown.split())
    assert "  Traceback (most recent call last):" in shown
    assert "in look_up" in shown
    log = shell(server, "job", "logs", str(job))
    assert "Traceback (most recent call last):" in log
    assert "in look_up" in log
    assert "Try 2 of 2 comes in 600 s." in log


def test_tracebacks_of_what_the_author_raised(server: Served) -> None:
    with server.client() as client:
        job = client.jobs.submit("foreseen").id
        assert reached(client, job, "failed").retry is None
    for shown in (shell(server, "job", "show", str(job)), shell(server, "job", "logs", str(job))):
        assert 'raise TaskFailure("The shop is closed."' in shown


def test_steps_read_and_write_tables_and_are_async(server: Served) -> None:
    with server.client() as client:
        job = reached(client, client.jobs.submit("orders").id, "succeeded")
        assert job.result == 6.5
        assert [(t.object, t.rows) for t in job.outputs] == [("lake/shop/prices", 2)]
        assert [(t.object, t.rows) for t in job.inputs] == [("lake/shop/prices", 2)]
        assert client.objects.describe("lake/shop/prices").rows == 2


def test_child_jobs_and_environment_variables(server: Served) -> None:
    token = (server.home / "admin.token").read_text().strip()
    with server.client() as client:
        job = client.jobs.submit("parent", {"url": server.url, "token": token}).id
        parent = reached(client, job, "succeeded")
        children = [client.jobs.get(child) for child in parent.result]
    assert [(child.state, child.parent) for child in children] == [("succeeded", job)] * 2


def changed(site: Path, version: str) -> None:
    (site / "author_words.py").write_text(f'VERSION = "{version}"\n')


def test_one_version_of_the_code_for_an_attempt(server: Served, site: Path, tmp_path: Path) -> None:
    with server.client() as client:

        def begun(name: str) -> int:
            (tmp_path / name).mkdir()
            job = client.jobs.submit("versions", {"folder": str(tmp_path / name)}).id
            until((tmp_path / name / "began").exists, "its first step runs")
            return job

        job = begun("a")
        changed(site, "another")
        (tmp_path / "a" / "go").touch()
        error = reached(client, job, "failed").error
        assert error is not None
        assert error.code == "code_changed"
        assert "author_words.py" in error.message
        assert "Restart the job" in (error.hint or "")
        client.jobs.restart(job)
        assert reached(client, job, "succeeded").result == ["another", "another"]
        job = begun("b")
        changed(site, "the third")
        (tmp_path / "b" / "go").touch()
        reached(client, job, "failed")
        client.jobs.resume(job)
        assert reached(client, job, "succeeded").result == ["another", "the third"]
        job = begun("c")
        os.utime(site / "author_words.py")  # the same content is no other version
        (tmp_path / "c" / "go").touch()
        assert reached(client, job, "succeeded").result == ["the third", "the third"]


LATER = '''
from jobdeck import JobType, step


class Later(JobType):
    """It was installed meanwhile."""

    @step
    def work(self, run): ...
'''


def doc_of(client: Client, name: str = "word-count") -> str | None:
    try:
        return client.types.get(name).description
    except JobdeckError:  # it is being started
        return None


def broken_of(client: Client) -> str:
    try:
        return client.types.get("word-count").broken or ""
    except JobdeckError:
        return ""


def test_up_reload_starts_again_with_the_new_code(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(site))
    module = site / "word_count.py"
    before = module.read_text()
    (tmp_path / "word_count.py").write_text("raise ImportError('of the folder in which the server was started')\n")
    with served(tmp_path, tmp_path / "home", "--reload") as server, server.client() as client:
        module.write_text(before.replace("Count the words of text files.", "Count words anew."))
        until(lambda: doc_of(client) == "Count words anew.", "it started again")
        module.write_text("def broken(:\n")
        until(lambda: "SyntaxError" in broken_of(client), "it tells of the slip")
        assert "job_type_not_loaded" in (tmp_path / "server.log").read_text()
        assert "SyntaxError" in str((client.health().parts or {})["job_types"])
        with pytest.raises(
            JobdeckError, match=r"'word-count' could not be loaded: SyntaxError.*word_count\.py, line 1"
        ):
            client.jobs.submit("word-count", {})
        module.write_text(before)
        until(lambda: doc_of(client) == "Count the words of text files.", "it is mended")
        (site / "later.py").write_text(LATER)
        (site / "later-1.dist-info").mkdir()
        (site / "later-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: later\nVersion: 1\n")
        (site / "later-1.dist-info/entry_points.txt").write_text("[jobdeck.job_types]\nlater = later:Later\n")
        until(lambda: doc_of(client, "later") == "It was installed meanwhile.", "what is installed is found")
        (site / "later.py").write_text(LATER.replace("meanwhile", "and changed"))
        until(lambda: doc_of(client, "later") == "It was installed and changed.", "and is looked at from then on")
