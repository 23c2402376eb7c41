"""`python -m tests.simulation.run --seed 1234 --verbose`, `--seeds 0:100000`: run worlds, say which are broken."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulation.engine_log import listen
from tests.simulation.plan import make_plan
from tests.simulation.world import Broken, World, simulate


def try_seed(seed: int, *, verbose: bool = False) -> tuple[World | None, str | None]:
    """The world and None, or what is broken in it."""
    with listen(verbose=verbose) as heard:
        try:
            world = simulate(make_plan(seed), verbose=verbose)
        except Broken as broken:
            return None, str(broken)
    return world, f"the engine says: {heard[0]}" if heard else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", default="0:1000", help="from:to")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--most", type=int, default=10, help="stop after so many broken worlds")
    arguments = parser.parse_args()
    first, last = (arguments.seed, arguments.seed + 1) if arguments.seed is not None else map(int, arguments.seeds.split(":"))
    began, broken, jobs, seconds = time.monotonic(), 0, 0, 0.0
    seed = first
    for seed in range(first, last):
        world, words = try_seed(seed, verbose=arguments.verbose)
        if world is not None:
            jobs, seconds = jobs + len(world.guarantees.facts.jobs), seconds + world.loop.time() - 1000
            if arguments.seed is not None:
                print(f"seed {seed}: {world.guarantees.commit} commits, digest {world.digest:08x}")
        if words is not None:
            broken += 1
            print(f"seed {seed}: {words}", flush=True)
            if broken >= arguments.most:
                break
    took = time.monotonic() - began
    count = seed + 1 - first
    print(f"{count} worlds, {broken} broken; {jobs} jobs, {seconds:.0f} virtual seconds in {took:.1f} s ({took / count * 1000:.0f} ms each)")
    return 1 if broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of strings must have the same order in every run.
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})
    sys.exit(main())
