"""`python -m tests.simulation.run --seed 1234 --verbose`, `--seeds 0:100000`: run worlds, say which are broken."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.engine_log import listen
from tests.simulation.plan import make_plan
from tests.simulation.virtual_time import START
from tests.simulation.world import Broken, World, simulate


def try_seed(seed: int, *, verbose: bool = False) -> tuple[World | None, str | None]:
    """The world, unless it broke on the way, and what is broken in it, if anything is."""
    with listen(verbose=verbose) as heard:
        try:
            world = simulate(make_plan(seed), verbose=verbose)
        except Broken as broken:
            return None, str(broken)
    return world, f"the engine says: {heard[0]}" if heard else None


@dataclass(slots=True)
class Tally:
    """What was run so far; `seconds` are virtual."""

    worlds: int = 0
    broken: int = 0
    jobs: int = 0
    commits: int = 0
    seconds: float = 0.0

    def add(self, world: World | None, words: str | None) -> None:
        self.worlds += 1
        self.broken += words is not None
        if world is not None:
            self.jobs += len(world.guarantees.facts.jobs)
            self.commits += world.guarantees.commit
            self.seconds += world.loop.time() - START

    def __str__(self) -> str:
        seen = f"{self.jobs} jobs, {self.commits} commits, {self.seconds:.0f} virtual seconds"
        return f"{self.worlds} worlds, {self.broken} broken; {seen}"


def run(seeds: Iterable[int], *, most: int, verbose: bool) -> Tally:
    """Run the worlds of `seeds` until `most` of them broke."""
    tally = Tally()
    gc.disable()  # a world is thrown away as a whole
    gc.freeze()
    for seed in seeds:
        world, words = try_seed(seed, verbose=verbose)
        tally.add(world, words)
        if words is not None:
            print(f"seed {seed}: {words}", flush=True)
        elif verbose and world is not None:
            print(f"seed {seed}: digest {world.digest:08x}")
        if tally.broken >= most:
            break
        if tally.worlds % 20 == 0:
            gc.collect()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", help="this one, or these")
    parser.add_argument("--seeds", default="0:1000", help="from:to, or from:to:step")
    parser.add_argument("--verbose", action="store_true", help="tell what happens")
    parser.add_argument("--most", type=int, default=10, help="stop after so many broken worlds")
    arguments = parser.parse_args()
    seeds = range(*map(int, arguments.seeds.split(":"))) if arguments.seed is None else arguments.seed
    began = time.monotonic()
    tally = run(seeds, most=arguments.most, verbose=arguments.verbose)
    print(f"{tally} in {time.monotonic() - began:.1f} s")
    return int(tally.broken > 0)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of strings must have the same order in every run.
        command = [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})
    sys.exit(main())
