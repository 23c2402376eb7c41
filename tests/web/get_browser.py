"""Makes sure that there is a Chromium for the tests of the pages: `make test` runs this first.

Where there is none, it installs Debian's package if it may (root, with apt-get); else it says so, loudly, and the tests
of the pages are skipped, which counts as a failure in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.web.chromium import MISSING, chromium

INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]


def main() -> None:
    if chromium() is not None:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("── installing Chromium for the tests of the pages (apt-get install chromium)", flush=True)
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        for command in (INSTALL, ["apt-get", "update"], INSTALL):
            subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]
            if chromium() is not None:
                return
    line = "!" * 100
    print(f"{line}\n{MISSING}\n{line}", file=sys.stderr)


if __name__ == "__main__":
    main()
