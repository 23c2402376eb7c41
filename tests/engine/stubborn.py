"""Job types that run in processes and do not do as they are told."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.jobtype import step
from jobdeck.core.tasks import Run


class Folder(BaseModel):
    """Where it leaves its marks."""

    folder: Path
    units: int = 5
    die_at: int | None = None


class Deaf(JobType):
    """Never looks up, and starts a child that does not either; unless it finds a file called `go` when it begins."""

    name = "deaf"
    grace = 0.3
    Params = Folder

    @step
    def work(self, run: Run) -> None:
        if (self.params.folder / "go").exists():
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not (child := os.fork()):
            time.sleep(60)
            os._exit(0)
        (self.params.folder / "pids.tmp").write_text(f"{os.getpid()} {child}")
        (self.params.folder / "pids.tmp").rename(self.params.folder / "pids")
        while True:
            time.sleep(0.01)

    def undo(self, run: Run) -> None:
        pids = (self.params.folder / "pids").read_text().split()
        (self.params.folder / "alive").write_text(" ".join(pid for pid in pids if _lives(pid)))


class Mortal(JobType):
    """Counts its units in a file; kills its own process once."""

    name = "mortal"
    Params = Folder

    @step
    def work(self, run: Run) -> int:
        for unit in range(run.cursor or 0, self.params.units):
            with (self.params.folder / "units").open("a") as file:
                file.write(f"{unit}\n")
            died = self.params.folder / "died"
            if unit == self.params.die_at and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            run.checkpoint(unit + 1)
        return int(self.params.units)


class Patient(JobType):
    """Waits for a file called `go`, and stops when it is asked to."""

    name = "patient"
    Params = Folder

    @step
    def work(self, run: Run) -> int:
        (self.params.folder / f"pids.{run.epoch}.tmp").write_text(str(os.getpid()))
        (self.params.folder / f"pids.{run.epoch}.tmp").rename(self.params.folder / "pids")
        while not (self.params.folder / "go").exists():
            run.stop_here()
            time.sleep(0.01)
        return run.epoch


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
