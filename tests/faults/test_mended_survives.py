"""An import whose file was replaced and which is resumed has exactly the right rows, whatever is killed in between."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
from deltalake import DeltaTable

from tests.faults.installation import installation, until

ROWS = 100_000
REF = "lake/m/t"


def write(path: Path, first: int, bad: int | None = None) -> Path:
    ids = range(first, first + ROWS)
    path.write_text("id,n\n" + "".join(f"{i},{'oops' if i == bad else i}\n" for i in ids))
    return path


def test_killed_after_the_file_was_replaced_and_while_it_loads(home: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.csv"
    first.write_text("id,n\n-1,-1\n")
    good, bad = write(tmp_path / "good.csv", 0), write(tmp_path / "bad.csv", ROWS, bad=2 * ROWS - 5)
    with installation(home, f"sqlite+aiosqlite:///{home / 'jobdeck.db'}", lease_seconds="4") as jobdeck:
        process = jobdeck.up()
        with jobdeck.client() as client:
            refs = [f"file:{client.files.upload(path).id}" for path in (first, good, bad)]
            jobdeck.until_state(client.jobs.submit("import", {"files": refs[:1], "into": REF}).id, "succeeded")
            job = client.jobs.submit("import", {"files": refs[1:], "into": REF}).id
            jobdeck.until_state(job, "failed")
            client.files.replace(int(refs[2].removeprefix("file:")), write(tmp_path / "mended.csv", ROWS))
        process.kill()
        process = jobdeck.up()
        with jobdeck.client() as client:
            client.jobs.resume(job)

            def loading_anew() -> bool:
                lines = [line.text for line in client.jobs.logs(job)]
                return any("to be loaded anew" in line for line in lines)

            until(loading_anew, "the mended file is looked at")
        jobdeck.until_loaded(job, ROWS + 20_000)
        process.kill()
        jobdeck.up()
        ended = jobdeck.until_state(job, "succeeded")
        assert (ended.attempt, (ended.result or {})["rows"]) == (1, 2 * ROWS)
        data = DeltaTable((home / "storage/projects/default/lake/m/t").as_uri()).to_pyarrow_table()
        assert data.num_rows == 2 * ROWS + 1
        assert pc.count_distinct(data["id"]).as_py() == 2 * ROWS + 1
        assert pc.all(pc.equal(data["id"], data["n"])).as_py()
