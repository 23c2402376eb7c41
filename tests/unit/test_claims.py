"""Claims: what fits beside what, one claim per resource, and held units that are the sum over their holders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.claims import Claim, Held, Holding, Mode, fits, implicit_claims, local_name, merge, qualify

resources = st.sampled_from(["a", "b", "c"])
claims = st.builds(Claim, resources, st.integers(1, 5)) | st.builds(Claim.exclusive, resources)
EXCLUSIVE = Claim.exclusive("r")


@pytest.mark.parametrize(
    ("claim", "holders", "capacity", "expected"),
    [
        (Claim("r"), [], None, True),
        (Claim("r"), [Claim("r", 1000)], None, True),
        (Claim("r"), [Claim("r", 2)], 3, True),
        (Claim("r", 2), [Claim("r", 2)], 3, False),
        (Claim("r"), [], 0, False),
        (Claim("r", 4), [], 3, False),
        (Claim("r"), [EXCLUSIVE], None, False),
        (Claim("r"), [EXCLUSIVE], 5, False),
        (EXCLUSIVE, [], None, True),
        (EXCLUSIVE, [], 1, True),
        (EXCLUSIVE, [], 0, False),
        (EXCLUSIVE, [Claim("r")], None, False),
        (EXCLUSIVE, [Claim("r")], 10, False),
        (EXCLUSIVE, [EXCLUSIVE], None, False),
    ],
)
def test_fits(claim: Claim, holders: list[Claim], capacity: int | None, expected: bool) -> None:
    held = Held()
    for job, holder in enumerate(holders):
        held.take(job, [holder])
    assert fits(claim, held.of("r"), capacity) is expected


@given(st.lists(claims))
def test_merge_makes_one_claim_per_resource_at_least_as_strong(wanted: list[Claim]) -> None:
    merged = merge(wanted)
    assert sorted(c.resource for c in merged) == sorted({c.resource for c in wanted})
    for claim in merged:
        parts = [c for c in wanted if c.resource == claim.resource]
        if any(c.mode is Mode.EXCLUSIVE for c in parts):
            assert claim == Claim.exclusive(claim.resource)
        else:
            assert claim == Claim(claim.resource, sum(c.units for c in parts))
    assert merge(merged) == merged


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.lists(claims, max_size=4))))
def test_what_is_held_is_the_sum_over_its_holders(script: list[tuple[bool, int, list[Claim]]]) -> None:
    """Taking or releasing twice is a no-op, in any order."""
    held, model = Held(), dict[int, list[Claim]]()
    for takes, job, wanted in script:
        if takes:
            held.take(job, merge(wanted))
            model.setdefault(job, merge(wanted))
        else:
            assert list(held.release(job)) == model.pop(job, [])
        assert set(held.jobs()) == set(model)
        assert len(held) == len(model)
        assert set(held.resources()) == {c.resource for taken in model.values() for c in taken}
        for resource in "abc":
            mine = {j: c for j, taken in model.items() for c in taken if c.resource == resource}
            assert held.of(resource) == Holding(
                {j: c.units for j, c in mine.items()},
                {j for j, c in mine.items() if c.mode is Mode.EXCLUSIVE},
                sum(c.units for c in mine.values()),
            )


def test_asking_for_what_nobody_holds_leaves_no_trace() -> None:
    held = Held()
    assert held.of("r") == Holding()
    assert not list(held.resources())
    assert 1 not in held


@given(claims)
def test_json_round_trip(claim: Claim) -> None:
    assert Claim.from_json(claim.to_json()) == claim


@pytest.mark.parametrize(
    ("resource", "qualified"),
    [
        ("object:lake/b/t", "project:p/object:lake/b/t"),
        ("project", "project:p"),
        ("project:p", "project:p"),
        ("project:q", "project:p/project:q"),
        ("instance", "project:p/instance"),
    ],
)
def test_a_project_names_only_its_own_resources(resource: str, qualified: str) -> None:
    assert qualify("p", resource) == qualified


def test_people_see_local_names() -> None:
    assert local_name("project:p/object:lake/b/t") == "object:lake/b/t"
    assert local_name("project:p") == "project:p"
    assert local_name("instance") == "instance"
    assert local_name("object:lake/b") == "object:lake/b"


def test_every_limit_of_the_design_is_a_claim() -> None:
    assert implicit_claims("p", "import", 3, 4) == [
        Claim("instance"),
        Claim("type:import"),
        Claim("project:p"),
        Claim("project:p/type:import"),
        Claim("project:p/children:3"),
        Claim.exclusive("project:p/configuration:4"),
    ]
    assert len(implicit_claims("p", "import", None, None)) == 4
    assert implicit_claims("p", "import", None, 4, 5)[4:] == [
        Claim("project:p/configuration:4"),
        Claim.exclusive("project:p/configuration:4/token:5"),
    ]
    assert implicit_claims("p", "import", None, None, 5) == implicit_claims("p", "import", None, None)
