"""What programs read of a list is all of it; where a person's own limit cuts it, a remark says so."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Done
from tests.cli.test_bulk import Installed, call, idle, installed, silent

__all__ = ["call", "idle", "installed", "silent"]
MANY = 520
"""More than a page of the API, and more than any table shows."""


def fill(installed: Installed) -> dict[str, int]:
    """More than a page of everything that is listed by pages; how many there are of each."""
    client = installed.client
    jobs = installed.jobs(MANY)
    for number in range(60):
        client.files.upload(io.BytesIO(b"x"), name=f"f{number}.csv")
        client.tokens.create(f"t{number}", "viewer")
        client.configurations.create(f"c{number}", "noop")
        client.limits.set(f"type:t{number}", 3, as_written=True)
    for first in range(60):
        client.bulk.preview("cancel", ids=jobs[first : first + 1])
    return {"jobs": MANY, "files": 60, "tokens": 61, "configurations": 60, "bulk": 60}


def test_programs_get_all_of_every_list(call: Any, idle: Installed) -> None:
    counts = fill(idle)
    for noun, count in counts.items():
        ids = call(noun, "list", "-o", "ids")
        assert (noun, len(set(ids.stdout.split())), ids.stderr) == (noun, count, "")
        items = json.loads(call(noun, "list", "-o", "json").stdout)["items"]
        assert (noun, len(items)) == (noun, count)
    limits = json.loads(call("limits", "list", "-o", "json").stdout)["items"]
    assert len({item["resource"] for item in limits} & {f"type:t{n}" for n in range(60)}) == 60
    assert len(call("history", "-o", "ids").stdout.split()) >= 180
    bulk = call("bulk", "list", "-o", "ids").stdout.split()[-1]
    assert call("bulk", "items", bulk, "-o", "ids").stdout.split() == ["1"]
    for noun in ("jobs", "files", "bulk", "history"):
        words = (noun,) if noun == "history" else (noun, "list")
        cut = call(*words, "-o", "ids", "--limit", "7")
        assert len(cut.stdout.split()) == 7
        assert "There are more than these 7" in cut.stderr
        assert call(*words, "-o", "json", "--limit", "7").stderr == cut.stderr
        if noun != "files":  # a table shows 100 of them
            assert "There are more than these" in call(*words).stderr
        everything = call(*words, "-o", "ids", "--limit", "5000")
        assert everything.stderr == ""
        assert len(everything.stdout.split()) > 7
    events = call("job", "events", "1", "-o", "ids").stdout.split()
    assert len(events) == len(set(events)) >= 1


def test_the_documented_pipe_takes_all(call: Any, installed: Installed) -> None:
    """`jobs list … -o ids | job pause -`: 50 of 77 went through it, and nothing was said."""
    installed.jobs(77)
    ids = call("jobs", "list", "--state", "pending", "-o", "ids")
    assert len(ids.stdout.split()) == 77
    paused = call("job", "pause", "-", "-o", "ids", stdin=ids.stdout)
    assert len(paused.stdout.split()) == 77
    assert installed.states() == ["paused"] * 77


def test_a_cursor_goes_on_to_the_end(call: Any, installed: Installed) -> None:
    installed.jobs(70)
    first = json.loads(call("jobs", "list", "-o", "json", "--limit", "60").stdout)
    rest = call("jobs", "list", "-o", "ids", "--cursor", first["next"])
    assert rest.stdout.split() == [str(number) for number in range(10, 0, -1)]


def test_operations_are_found_followed_and_stopped(idle: Installed, cli: Cli) -> None:
    """The one who asked is gone: another terminal finds it."""

    def call(*words: str) -> Done:
        return cli(*words, JOBDECK_URL=idle.url, JOBDECK_TOKEN=idle.token)

    idle.jobs(300)
    plan = idle.client.bulk.preview("cancel", project="default")
    idle.client.bulk.run(plan)
    (line,) = call("bulk", "list").stdout.splitlines()[1:]
    assert line.split()[:3] == [str(plan.id), "running", "cancel"]
    stopped = call("bulk", "stop", str(plan.id))
    assert stopped.stdout == "Stopped. 0 of 300 jobs canceled, 300 not touched.\n"
    shown = call("bulk", "show", str(plan.id)).stdout
    assert "Operation 1 (stopped)" in shown
    assert len(call("bulk", "items", "1", "--outcome", "untouched", "-o", "ids").stdout.split()) == 300
    second = idle.client.bulk.preview("cancel", project="default")
    idle.client.bulk.run(second)
    idle.carry_out()
    watched = call("bulk", "watch", str(second.id))
    assert (watched.returncode, watched.stdout) == (0, "300 of 300 jobs canceled.\n")
    assert call("bulk", "show", "99").returncode == 3


def test_children_go_only_where_they_were_chosen(call: Any, installed: Installed) -> None:
    (parent,) = installed.jobs(1)
    call("job", "cancel", *map(str, installed.jobs(2, parent=parent)), str(parent))
    refused = call("job", "delete", str(parent), "--yes")
    assert refused.returncode == 3
    assert "2 children (2 canceled) would be deleted with it" in refused.stderr
    assert "--with-children" in refused.stderr
    left = call("job", "delete", "--bulk", "--yes", str(parent))
    assert left.returncode == 3
    assert "2 children (2 canceled) stay, and so do their parents; --with-children deletes them." in left.stderr
    gone = call("job", "delete", str(parent), "--with-children", "--yes")
    assert (gone.returncode, gone.stdout) == (0, f"Job {parent}: deleted, with 2 children (2 canceled)\n")
    (parent,) = installed.jobs(1)
    call("job", "cancel", *map(str, installed.jobs(2, parent=parent)), str(parent))
    bulk = call("job", "delete", "--bulk", "--yes", "--with-children", str(parent))
    assert bulk.stdout == "1 of 1 job deleted, with 2 of their children.\n"
    assert "2 children (2 canceled) go with them." in bulk.stderr
    assert installed.states() == []
    deleted = call("history", "--kind", "deleted", "-o", "ids").stdout.split()
    assert len(deleted) == 6


@pytest.mark.parametrize("name", ["é%22.csv", "a%0Ab.csv", 'quote".csv', "100%.csv", "naïve file.csv", "%41.csv"])
def test_a_file_keeps_its_name(call: Any, installed: Installed, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"a\n1\n")
    assert call("files", "upload", str(path)).returncode == 0
    (file,) = installed.client.files.list()
    assert file.name == name
