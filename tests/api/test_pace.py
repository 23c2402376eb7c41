"""How many requests a token may make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.api.http import authentication
from jobdeck.api.http.authentication import Pace
from tests.api.harness import Api, is_problem


def test_a_burst_then_the_rate() -> None:
    bucket = Pace(rate=2, burst=4)
    assert [bucket.take(1, 10.0) for _ in range(6)] == [0, 0, 0, 0, 1, 1]
    assert bucket.take(2, 10.0) == 0, "another token has its own"
    assert bucket.take(1, 10.5) == 0
    assert bucket.take(1, 10.5) == 1
    assert [bucket.take(1, 100.0) for _ in range(5)] == [0, 0, 0, 0, 1], "it holds no more than a burst"


@given(st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    bucket, now, made = Pace(rate=3, burst=5), 0.0, 0
    for pause in pauses:
        now += pause
        made += bucket.take(1, now) == 0
    assert made <= 5 + 3 * now + 1e-6


async def test_too_many_requests_are_told_when_to_come_back(small: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    (limited,) = (m.kwargs["pace"] for m in small.app.user_middleware if "pace" in m.kwargs)
    assert isinstance(limited, Pace)
    assert (limited.rate, limited.burst) == (authentication.RATE, authentication.BURST)
    await small.token("other", "viewer")
    monkeypatch.setattr(limited, "rate", 0.1)
    monkeypatch.setattr(limited, "burst", 3)
    answers = [await small.raw("GET", "me") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    is_problem(answers[-1], 429, "rate_limited")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert (await small.raw("GET", "me", token="other")).status_code == 200
    assert (await small.raw("GET", "health")).status_code == 200
