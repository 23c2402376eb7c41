"""The property test of readers, for as long as one likes: `python -m tests.connectors.readers.hunt --minutes 60`.

Prints seed and figures; at a finding also the smallest input that shows it, which is kept."""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.connectors.readers.trial import HOWS, Verdict, judge, shrunk, trial
from tests.connectors.readers.writers import FORMATS

_VARIABLE = re.compile(r"\d+|made[.\w]*|'[^']*'|\[[^\]]*\]?")
"""What differs between findings of one sort."""


def main() -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None, help="the one trial of this number")
    parser.add_argument("--format", choices=FORMATS, default=None)
    parser.add_argument("--how", choices=HOWS, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="folder for failing inputs")
    parser.add_argument("--most", type=int, default=20, help="findings after which it ends")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.randrange(2**32)
    keep = asked.keep or Path(tempfile.mkdtemp(prefix="jobdeck-hunt-"))
    keep.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, {asked.minutes:g} minutes; failing inputs are kept in {keep}", flush=True)
    figures, named, findings = Counter[str](), Counter[str](), Counter[str]()
    until = time.monotonic() + 60 * asked.minutes
    number = asked.only or 0
    while time.monotonic() < until and len(findings) < asked.most:
        verdict = _one(seed, number, asked.format, asked.how, keep, findings)
        if verdict is not None:
            made = verdict.made
            figures[f"{made.format:8} {made.how:8} {made.tool:8} {verdict.outcome}"] += 1
            named += verdict.named
        if asked.only is not None:
            break
        number += 1
    _tell(figures, named, findings)
    return 1 if findings else 0


def _one(
    seed: int, number: int, format: str | None, how: str | None, keep: Path, findings: Counter[str]
) -> Verdict | None:
    """One trial; the first finding of its sort is made small, kept and told."""
    with tempfile.TemporaryDirectory() as folder:
        verdict = trial(seed * 1_000_003 + number, Path(folder), format=format, how=how)
        if verdict is None or verdict.finding is None:
            return verdict
        sort = f"{verdict.made.format}: {_VARIABLE.sub('…', verdict.finding)[:90]}"
        findings[sort] += 1
        if findings[sort] == 1:
            _keep(verdict, seed, number, keep)
        return verdict


def _keep(verdict: Verdict, seed: int, number: int, keep: Path) -> None:
    made, finding = verdict.made, verdict.finding
    original = made.path.read_bytes()
    made.table = None
    until = time.monotonic() + 20
    sort = _sort(finding)
    again, least = finding, original
    if not sort.startswith("refused"):  # anything can be refused
        least = shrunk(made, lambda one: time.monotonic() < until and _sort(judge(one).finding) == sort)
        made.path.write_bytes(least)
        again = judge(made).finding
        least = least if _sort(again) == sort else original
    target = keep / f"{number}-{made.path.name}"
    target.write_bytes(least)
    told = again if _sort(again) == sort else finding
    print(f"FOUND {number} ({made.how} by {made.tool}, {made.params or 'no options'}): {told}", flush=True)
    print(f"      {len(least)} bytes: {least[:200]!r}  {target}  (--seed {seed} --only {number})", flush=True)


def _sort(finding: str | None) -> str:
    """Findings of one sort begin alike."""
    return "" if finding is None else " ".join(finding.split()[:2])


def _tell(figures: Counter[str], named: Counter[str], findings: Counter[str]) -> None:
    print(f"{sum(figures.values())} files, {sum(findings.values())} findings of {len(findings)} sorts")
    for what, times in findings.most_common():
        print(f"  {times:6} {what}")
    for what, times in sorted(figures.items()):
        print(f"  {what:44} {times:8}")
    print("differences by name:")
    for what, times in named.most_common():
        print(f"  {what:44} {times:8}")


if __name__ == "__main__":
    sys.exit(main())
