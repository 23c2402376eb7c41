"""What kind of world a seed makes: how large, how long, how hostile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds; chances per call or per second."""

    seed: int
    large: bool
    rivals: bool
    """Two schedulers, of which one is often frozen, also between a decision and its writing, over a queue that is
    always full and often reordered."""
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
    tidies: bool
    """What has ended is deleted after two seconds, and leftovers of none are swept away, once a second."""
    deaf_wakeups: float
    """Chance that a wake-up call does not reach another machine."""

    @property
    def silence(self) -> float:
        """Seconds without a word after which a worker gets nothing more."""
        return self.lease * 0.75

    @property
    def unexplained(self) -> float:
        """Seconds that a job may wait for nothing but a scheduler that is well: one that paused after errors, two at
        most, looks again, one between two looks, and what the answers of a slow database take."""
        return 3.0 + 30 * self.slow


def make_plan(seed: int) -> Plan:
    """The plan of a seed: most worlds are small, so that many can be tried; 1 of 50 is large, 1 of 10 has rivals."""
    random = Random(seed)
    servers, workers = random.choice(((1, 1), (1, 2), (1, 2), (2, 1)))
    large = seed % 50 == 49
    rivals = seed % 10 == 7
    plan = Plan(
        seed=seed,
        large=large,
        rivals=rivals,
        seconds=random.uniform(10, 40) if large else random.uniform(1, 4),
        lease=random.choice((4.0, 4.0, 6.0, 10.0)) if large else 4.0,
        servers=random.choice((1, 2, 2)) if large else servers,
        workers=random.choice((2, 3)) if large else workers,
        together=random.random() < (0.4 if large else 0.15),
        jobs=random.randint(4, 12) if large else random.randint(1, 2),
        people=2 if large else 1,
        rate=random.choice((0.3, 1.0, 3.0)) if large else random.choice((0.7, 1.5, 3.0)),
        project_limit=random.choice((None, 10, 3, 2)),
        picky_workers=random.random() < 0.1,
        faults=random.choice((1.0, 3.0, 6.0)) if large else random.choice((0.0, 0.4, 0.6, 0.8, 0.8, 0.8)),
        clock_steps=random.random() < 0.2,
        slow=random.choice((0.0, 0.0, 0.05, 0.3)),
        flaky=random.choice((0.0, 0.0, 0.005, 0.02)),
        tidies=seed % 16 == 5,
        deaf_wakeups=random.choice((0.0, 0.3, 1.0)),
    )
    if not rivals:
        return plan
    return replace(
        plan, seconds=random.uniform(8, 14), lease=2.5, servers=2, workers=1, together=False, jobs=4, rate=0.4,
        project_limit=1, faults=random.choice((1.0, 2.0)), clock_steps=False, flaky=0.0,
    )  # fmt: skip
