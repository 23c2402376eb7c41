"""`jobdeck workers`: who runs the jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.ids import some
from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.show import text
from jobdeck.cli.show.colours import of_state
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn, print_facts

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.client.admin.workers import WorkersResource
    from jobdeck.wire.admin import Worker

COMMANDS = {"workers": ("Administration", "List, show, drain and undrain workers.")}
EXAMPLES = """
jobdeck workers list
jobdeck workers show db1
jobdeck workers drain 4f1c2a
jobdeck workers undrain 4f1c2a
"""

app = noun(COMMANDS)

COLUMNS: list[TableColumn[Worker]] = [
    TableColumn("ID", lambda w: w.id),
    TableColumn("NAME", lambda w: w.name, drop=4, least=8),
    TableColumn("HOST", lambda w: w.host, drop=5, least=8),
    TableColumn("STATE", lambda w: w.state, style=lambda w: of_state(w.state)),
    TableColumn("SLOTS", lambda w: w.slots, drop=2, right=True),
    TableColumn("RUNNING JOBS", lambda w: w.running, drop=1, least=8),
    TableColumn("SEEN", lambda w: w.seen_at, drop=3),
]


@lists(app, COLUMNS, lambda w: w.id, "No worker is there. `jobdeck worker` or `jobdeck up` starts one.")
def list_(client: Client, _: Common) -> list[Worker]:
    """List workers and the jobs they run."""
    return client.workers.list()


Whom = Annotated[str, Parameter(name="WORKER", help="Ids, names, or beginnings of them that no other worker has.")]


@app.command(name="show")
def show(*named: Whom, common: Common | None = None) -> None:
    """Show workers: state, places, job types, the jobs they hold."""
    _each(named, common, lambda workers, word: workers.get(word), _show_worker)


@app.command(name="drain")
def drain(*named: Whom, common: Common | None = None) -> None:
    """Let workers finish what they have and take nothing more, until `workers undrain`."""
    _each(named, common, lambda workers, word: workers.drain(word), _show_told)


@app.command(name="undrain")
def undrain(*named: Whom, common: Common | None = None) -> None:
    """Let drained workers take jobs again."""
    _each(named, common, lambda workers, word: workers.undrain(word), _show_told)


def _each(
    named: tuple[str, ...],
    common: Common | None,
    ask: Callable[[WorkersResource, str], Worker],
    show: Callable[[Worker], None],
) -> None:
    """Ask for or something of every worker that was named, and print how it is then."""
    with asking(common) as (client, given):
        for word in some(named, "worker", "jobdeck workers list"):
            print_one(given.output, ask(client.workers, word), show, lambda w: w.id)


def _show_worker(worker: Worker) -> None:
    print(f"{_called(worker)} is {worker.state}.")
    print_facts([
        ("host", worker.host),
        ("version", worker.version),
        ("slots", f"{worker.slots}, and {worker.light_slots} for light jobs"),
        ("running", ", ".join(str(job) for job in worker.running) or "nothing"),
        ("short of", text.line(worker.shortage or "")),
        ("types", ", ".join(worker.types)),
        ("started", text.moment(worker.started_at)),
        ("seen", text.moment(worker.seen_at)),
    ])  # fmt: skip


def _show_told(worker: Worker) -> None:
    left = f"; it has {len(worker.running)} to finish" if worker.running and worker.state == "draining" else ""
    print(f"{_called(worker)} is {worker.state}{left}.")


def _called(worker: Worker) -> str:
    return f"Worker {text.line(worker.name)} ({worker.id})" if worker.name else f"Worker {worker.id}"
