"""What a soak does to its installation, in an order that follows from the seed alone."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.soak_site import LEASE_SECONDS, SERVERS, WORKERS, Site

KINDS = {
    "kill worker": 5, "freeze worker": 3, "stop worker": 2, "kill task process": 5, "kill server": 4,
    "freeze server": 2, "stop server": 1, "kill database": 2, "freeze database": 1, "kill worker and server": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """`after` seconds of calm, `kind` happens to number `which`, and lasts `long` seconds."""

    after: float
    kind: str
    which: int
    long: float

    def __str__(self) -> str:
        return f"{self.after:4.1f} s later: {self.kind} {self.which} for {self.long:.1f} s"


def plan(seed: int) -> Iterator[Fault]:
    """The faults of a seed, without end."""
    dice = random.Random(seed)
    kinds, weights = list(KINDS), list(KINDS.values())
    while True:
        (kind,) = dice.choices(kinds, weights)
        long = dice.choice([0.3, 1.0, LEASE_SECONDS * 0.8, LEASE_SECONDS * 1.6])
        yield Fault(dice.uniform(1.0, 4.0), kind, dice.randrange(6), long)


class Faults:
    """Carries the plan out, one fault at a time."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._plan = plan(seed)
        self.done: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            fault = next(self._plan)
            time.sleep(fault.after)
            print(f"  {fault}", flush=True)
            getattr(self, "_" + fault.kind.replace(" ", "_"))(fault)
            self.done[fault.kind] += 1

    def _kill_worker(self, fault: Fault) -> None:
        number = fault.which % WORKERS
        self._site.workers[number].kill()
        time.sleep(fault.long)
        self._site.restart_worker(number)

    def _freeze_worker(self, fault: Fault) -> None:
        self._frozen(self._site.workers[fault.which % WORKERS].signal, fault)

    def _stop_worker(self, fault: Fault) -> None:
        number = fault.which % WORKERS
        self._site.workers[number].stop()
        self._site.restart_worker(number)

    def _kill_task_process(self, fault: Fault) -> None:
        for worker in self._site.workers:
            for pid in worker.task_processes()[: 1 + fault.which % 2]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _kill_server(self, fault: Fault) -> None:
        number = fault.which % SERVERS
        self._site.servers[number].kill()
        time.sleep(fault.long)
        self._site.restart_server(number)

    def _freeze_server(self, fault: Fault) -> None:
        self._frozen(self._site.servers[fault.which % SERVERS].signal, fault)

    def _stop_server(self, fault: Fault) -> None:
        number = fault.which % SERVERS
        self._site.servers[number].stop()
        self._site.restart_server(number)

    def _kill_worker_and_server(self, fault: Fault) -> None:
        self._site.servers[fault.which % SERVERS].kill()
        self._kill_worker(fault)
        self._site.restart_server(fault.which % SERVERS)

    def _kill_database(self, fault: Fault) -> None:
        self._site.database.crash()
        time.sleep(fault.long)
        self._site.database.start()

    def _freeze_database(self, fault: Fault) -> None:
        self._site.database.freeze()
        time.sleep(fault.long)
        self._site.database.thaw()

    def _frozen(self, send: object, fault: Fault) -> None:
        assert callable(send)
        send(signal.SIGSTOP)
        time.sleep(fault.long)
        send(signal.SIGCONT)
