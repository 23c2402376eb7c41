"""Claims: one rule for every limit. What is held is the set of live leases; nothing here counts up and down by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    """`shared` takes units of the capacity; `exclusive` tolerates no other holder at all."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


@dataclass(frozen=True, slots=True)
class Claim:
    """A named resource, a number of units and a mode. `resource` is qualified (`project:p/object:lake/b/t`)."""

    resource: str
    units: int = 1
    mode: Mode = Mode.SHARED

    def __post_init__(self) -> None:
        """A mode written as text (`"exclusive"`) is that mode; raises ValueError for one that there is not."""
        if type(self.mode) is not Mode:
            object.__setattr__(self, "mode", Mode(self.mode))

    @classmethod
    def exclusive(cls, resource: str) -> Claim:
        return cls(resource, 1, Mode.EXCLUSIVE)

    def to_json(self) -> list[str | int]:
        return [self.resource, self.units, "x" if self.mode is Mode.EXCLUSIVE else "s"]

    @classmethod
    def from_json(cls, value: list[str | int]) -> Claim:
        resource, units, mode = value
        return cls(str(resource), int(units), Mode.EXCLUSIVE if mode == "x" else Mode.SHARED)


def qualify(project: str, resource: str) -> str:
    """The instance-wide name of a resource that a job type or a person of `project` named locally."""
    if resource in ("project", f"project:{project}"):
        return f"project:{project}"
    return f"project:{project}/{resource}"


def is_shared(resource: str) -> bool:
    """Whether all projects take units of it."""
    return not resource.startswith("project:")


def local_name(resource: str) -> str:
    """The name that people read: without the project in front of the project's own resources."""
    scope, slash, rest = resource.partition("/")
    return rest if slash and scope.startswith("project:") else resource


def implicit_claims(
    project: str, type_name: str, parent: int | None, configuration: int | None, token: int | None = None
) -> list[Claim]:
    """The claims that every job has, whatever its type says. With a `token`, its configuration may run at the same time
    for other tokens, but not beside a job that needs the configuration for itself."""
    claims = [
        Claim("instance"),
        Claim(f"type:{type_name}"),
        Claim(f"project:{project}"),
        Claim(qualify(project, f"type:{type_name}")),
    ]
    if parent is not None:
        claims.append(Claim(qualify(project, f"children:{parent}")))
    if configuration is not None:
        name = qualify(project, f"configuration:{configuration}")
        if token is None:
            claims.append(Claim.exclusive(name))
        else:
            claims += [Claim(name), Claim.exclusive(f"{name}/token:{token}")]
    return claims


def merge(claims: Iterable[Claim]) -> list[Claim]:
    """One claim per resource: units add up, exclusive wins, so that a job never waits for itself."""
    merged: dict[str, Claim] = {}
    for claim in claims:
        earlier = merged.get(claim.resource)
        if earlier is None:
            merged[claim.resource] = claim
        elif Mode.EXCLUSIVE in (earlier.mode, claim.mode):
            merged[claim.resource] = Claim.exclusive(claim.resource)
        else:
            merged[claim.resource] = Claim(claim.resource, earlier.units + claim.units)
    return list(merged.values())


@dataclass(slots=True)
class Holding:
    """What live leases hold of one resource: units by job, and which of them hold it exclusively."""

    units: dict[int, int] = field(default_factory=dict)
    exclusive: set[int] = field(default_factory=set)
    used: int = 0


class Held:
    """An index of what live leases hold, by resource. Taking or releasing twice is a no-op."""

    def __init__(self) -> None:
        self._by_resource: dict[str, Holding] = {}
        self._by_job: dict[int, tuple[Claim, ...]] = {}

    def take(self, job: int, claims: Iterable[Claim]) -> None:
        if job in self._by_job:
            return
        self._by_job[job] = taken = tuple(claims)
        for claim in taken:
            holding = self._by_resource.get(claim.resource)
            if holding is None:
                holding = self._by_resource[claim.resource] = Holding()
            holding.units[job] = claim.units
            holding.used += claim.units
            if claim.mode is Mode.EXCLUSIVE:
                holding.exclusive.add(job)

    def release(self, job: int) -> tuple[Claim, ...]:
        """Give back all that `job` holds; the claims given back, empty when it held nothing."""
        released = self._by_job.pop(job, ())
        for claim in released:
            holding = self._by_resource[claim.resource]
            holding.used -= holding.units.pop(job)
            holding.exclusive.discard(job)
            if not holding.units:
                del self._by_resource[claim.resource]
        return released

    def of(self, resource: str) -> Holding:
        return self._by_resource.get(resource, _NOTHING)

    def resources(self) -> Iterable[str]:
        return self._by_resource.keys()

    def jobs(self) -> Iterable[int]:
        return self._by_job.keys()

    def __contains__(self, job: int) -> bool:
        return job in self._by_job

    def __len__(self) -> int:
        return len(self._by_job)


_NOTHING = Holding()


def fits(claim: Claim, holding: Holding, capacity: int | None) -> bool:
    """Whether `claim` can be held beside `holding`, where `capacity` None means without bound."""
    if holding.exclusive or (claim.mode is Mode.EXCLUSIVE and holding.units):
        return False
    return capacity is None or holding.used + claim.units <= capacity
