"""Where a Chromium is, and with which switches tests start it."""

from __future__ import annotations

import os
import shutil

VARIABLE = "JOBDECK_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "/usr/bin/chromium")
MISSING = (
    "NO BROWSER: the tests of the pages cannot run. Install Chromium (Debian: apt-get install chromium), or name one "
    f"in {VARIABLE}."
)
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The program; None where there is none."""
    named = os.environ.get(VARIABLE)
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
