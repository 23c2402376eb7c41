"""A long run under fire: real processes on a real PostgreSQL, killed and frozen all the time; at the end an account.

    python -m tests.faults.soak [--seconds 600] [--seed N]

The order of the faults follows from the seed alone. The exit status is 1 when anything in the account is off."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.faults.installation import until
from tests.faults.own_postgres import own_postgres
from tests.faults.soak_account import Account, account_of
from tests.faults.soak_faults import Faults
from tests.faults.soak_load import Load
from tests.faults.soak_site import Site

SETTLE_SECONDS = 180.0


def soak(seconds: float, seed: int, folder: Path) -> Account:
    """Run it; what came of every job. `folder` is empty, and has all logs afterwards."""
    with own_postgres() as database, Site(folder, database) as site:
        site.start()
        load, faults = Load(site, seed), Faults(site, seed)
        with site.claims() as claims:
            load.start()
            faults.run(seconds)
            load.stop()
            site.mend()
            load.let_all_end()
            left = until_calm(load)
        return account_of(site, load, faults, claims, left)


def until_calm(load: Load) -> list[int]:
    """Wait for every job to end, resuming what faults alone made fail; those that did not."""
    try:
        until(lambda: not load.unended(), "all jobs ended", SETTLE_SECONDS)
    except AssertionError:
        return load.unended()
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"soak of {options.seconds:g} s, seed {seed}, on {psutil.cpu_count()} cores", flush=True)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="jobdeck-soak-"))
    account = soak(options.seconds, seed, folder)
    print(account.text())
    print(f"{time.monotonic() - began:.0f} s in all; logs in {folder}")
    print(
        "ALL IS WELL" if account.good else f"SOMETHING IS OFF; again with --seed {seed} --seconds {options.seconds:g}"
    )
    return 0 if account.good else 1


if __name__ == "__main__":
    sys.exit(main())
