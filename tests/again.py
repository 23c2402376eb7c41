"""Runs the tests that failed once more, one at a time: `python -m tests.again`, which `make test` calls.

Some tests have bounds in seconds that a machine breaks on which three tests run at a time. What failed there must pass
alone, twice in a row. It is named all the same; more than a few are not looked at: that is a mistake and no crowd."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")
MOST = 4
TIMES = 2


def main() -> int:
    """The exit code: 0 when all that failed passed now."""
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    if not 0 < len(failed) <= MOST:
        return 1
    print(f"── FAILED among others, now run alone, {TIMES} times: {', '.join(failed)}", flush=True)
    for _ in range(TIMES):
        if subprocess.run([sys.executable, "-m", "pytest", "--color=no", *failed], check=False).returncode != 0:
            return 1
    print(f"── PASSED alone, but failed among others; look into them: {', '.join(failed)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
