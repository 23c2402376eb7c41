"""Import a CSV file into a table, replace it, and read both versions. Needs a server: `jobdeck up`."""

import csv
import tempfile
from pathlib import Path

from jobdeck import Client

TABLE = "lake/examples/squares"


def squares(path: Path, count: int) -> Path:
    """A file with `count` numbers and their squares."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "square"])
        writer.writerows((number, number * number) for number in range(count))
    return path


def replace_with(client: Client, path: Path) -> str:
    """Import `path` as the table's new content; the version that this made."""
    file = client.files.upload(path)
    job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": TABLE, "mode": "replace"})
    ended = client.jobs.wait(job.id)
    assert ended.state == "succeeded", ended.error
    version = client.objects.describe(TABLE).version
    assert version is not None
    return version


with Client() as client, tempfile.TemporaryDirectory() as folder:
    first = replace_with(client, squares(Path(folder) / "first.csv", 1_000))
    second = replace_with(client, squares(Path(folder) / "second.csv", 2_000))
    assert client.objects.describe(TABLE).rows == 2_000
    print(f"Version {first} and version {second}; the newest rows:")
    for row in client.objects.rows(TABLE, limit=3).items:
        print(row)
    assert len(client.objects.rows(TABLE, limit=500, version=first).items) == 500
