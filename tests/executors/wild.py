"""Task code that behaves badly, each method in its own way."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jobdeck.core.jobtype import JobType
from jobdeck.core.tasks import Run

FOREVER = "import time; time.sleep(1000)"


class Wild(JobType):
    """Params: a folder in which every process writes its number, as the file's name."""

    class Params(BaseModel):
        """As said."""

        folder: str

    def pid(self, run: Run) -> int:
        return os.getpid()

    def state(self, run: Run) -> dict[str, Any]:
        return {
            "cwd": str(Path.cwd()),
            "wild": os.environ.get("WILD"),
            "home": os.environ.get("JOBDECK_HOME"),
            "umask": os.umask(0o022),
            "term": str(signal.getsignal(signal.SIGTERM)),
            "path": "wild" in sys.path,
            "stdin": sys.stdin.read(),
        }

    def change_everything(self, run: Run) -> None:
        os.chdir("/")
        os.environ["WILD"] = "yes"
        os.umask(0o077)
        sys.path.insert(0, "wild")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        logging.getLogger().handlers.clear()
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        os.close(1)
        os.close(2)

    def speak(self, run: Run) -> None:
        print("out")
        print("err", file=sys.stderr)
        logging.getLogger("x").info("log")
        subprocess.run(["sh", "-c", "echo program; echo complaint >&2"], check=True)

    def stubborn_family(self, run: Run) -> None:
        """Ignores signals; so do a child, one in a session of its own, a daemon, and one without environment."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._family()
        self._here()
        while True:
            time.sleep(1)

    def leave_a_daemon_that_dies_slowly(self, run: Run) -> str:
        """So much memory takes a while to be given back; its files are closed only after that."""
        program = f"import os, pathlib; m = b'x' * (800 << 20); {self._written('str(os.getpid())')}; {FOREVER}"
        subprocess.Popen(["setsid", "sh", "-c", '"$@" & exit', "sh", sys.executable, "-S", "-c", program])
        while not list(Path(self.params.folder).iterdir()):
            time.sleep(0.005)
        return "done"

    def leave_family(self, run: Run) -> str:
        self._family()
        return "done"

    def fork_and_return(self, run: Run) -> str:
        """The copy comes back through the harness, too."""
        return "copy" if os.fork() == 0 else "original"

    def fork_and_log(self, run: Run) -> None:
        if os.fork() == 0:
            logging.getLogger("x").warning("from the copy")
            run.log("from its run")
            run.checkpoint("not the task's")
            os._exit(0)
        os.wait()

    def leave_thread(self, run: Run) -> None:
        def chatter() -> None:
            while True:
                print("chatter")
                time.sleep(0.001)

        threading.Thread(target=chatter, daemon=True).start()

    def leave_forked_printer(self, run: Run) -> None:
        subprocess.Popen(["sh", "-c", "trap '' TERM HUP; while :; do echo noise; done"])
        time.sleep(0.05)

    def segfault(self, run: Run) -> None:
        print("before")
        ctypes.string_at(0)

    def kill_itself(self, run: Run) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def close_all(self, run: Run) -> None:
        os.closerange(3, 1000)
        run.log("never heard")

    def speak_nonsense(self, run: Run) -> None:
        for fd in range(200, 260):
            try:
                os.write(fd, b"\xff\xff\xff\xffnonsense")
            except OSError:
                continue
        time.sleep(1000)

    def long_line(self, run: Run) -> None:
        sys.stdout.write("ü" * 100_000 + "\n" + "x" * 65_536 + "\nend")

    def flood(self, run: Run) -> None:
        for number in range(50_000):
            print(f"line {number}")

    def hog_memory(self, run: Run) -> int:
        return len(bytearray(4 << 30))

    def hog_interpreter(self, run: Run) -> None:
        """Computes without letting any other thread of this process run."""
        self._here()
        sum(range(10**12))

    def flood_forever(self, run: Run) -> None:
        self._here()
        while True:
            time.sleep(0.01)

    def _here(self) -> None:
        (Path(self.params.folder) / str(os.getpid())).touch()

    def _written(self, name: str) -> str:
        """The statement that writes a file of that name."""
        return f"pathlib.Path({self.params.folder!r}, {name}).touch()"

    def _family(self) -> None:
        program = f"import os, pathlib; {self._written('str(os.getpid())')}; {FOREVER}"
        python = [sys.executable, "-S", "-c", program]
        subprocess.Popen(["sh", "-c", 'trap "" TERM INT HUP; "$@"; :', "sh", *python])
        subprocess.Popen(python, start_new_session=True)
        subprocess.Popen(["setsid", "sh", "-c", '"$@" & exit', "sh", *python])  # a daemon: its parent is gone
        subprocess.Popen(python, start_new_session=True, env={})
        while len(list(Path(self.params.folder).iterdir())) < 4:
            time.sleep(0.005)
