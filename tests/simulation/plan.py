"""What kind of world a seed makes: how large, how long, how hostile."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds; chances per call or per second."""

    seed: int
    seconds: float
    lease: float
    servers: int
    workers: int
    together: bool
    """One machine that serves and works, beside the others."""
    jobs: int
    people: int
    rate: float
    """Seconds between two actions of a person, about."""
    project_limit: int | None
    picky_workers: bool
    faults: float
    """Seconds between two faults, about; 0: none."""
    clock_steps: bool
    slow: float
    """Chance that a call to the database takes time."""
    flaky: float
    """Chance that a call to the database fails by itself."""
    deaf_wakeups: float
    """Chance that a wake-up call does not reach another machine."""


def make_plan(seed: int) -> Plan:
    """The plan of a seed; every third world is small and calm enough to be read."""
    random = Random(seed)
    small = seed % 3 == 0
    return Plan(
        seed=seed,
        seconds=random.uniform(3, 12) if small else random.uniform(8, 30),
        lease=random.choice((4.0, 4.0, 6.0, 10.0)),
        servers=random.choice((1, 1, 2) if small else (1, 2, 2)),
        workers=random.choice((1, 2) if small else (1, 2, 2, 3)),
        together=random.random() < 0.3,
        jobs=random.randint(1, 4) if small else random.randint(2, 12),
        people=random.choice((0, 1) if small else (1, 1, 2)),
        rate=random.choice((0.3, 1.0, 3.0)),
        project_limit=random.choice((None, 10, 3, 2)),
        picky_workers=random.random() < 0.15,
        faults=random.choice((0.0, 2.0, 5.0) if small else (1.0, 3.0, 6.0)),
        clock_steps=random.random() < 0.25,
        slow=random.choice((0.0, 0.05, 0.3)),
        flaky=random.choice((0.0, 0.0, 0.005, 0.02)),
        deaf_wakeups=random.choice((0.0, 0.3, 1.0)),
    )
