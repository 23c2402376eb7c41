"""A short soak, so that the long one works when it is wanted; and that its account can say no."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tests.faults.soak import soak
from tests.faults.soak_account import Account
from tests.faults.soak_faults import plan


def test_a_short_soak(tmp_path: Path) -> None:
    account = soak(20.0, seed=1, folder=tmp_path)
    assert account.good, account.text()


def test_the_same_seed_is_the_same_faults() -> None:
    assert list(islice(plan(5), 50)) == list(islice(plan(5), 50))
    assert list(islice(plan(5), 50)) != list(islice(plan(6), 50))


def test_an_account_with_one_wrong_line_is_not_good() -> None:
    account = Account()
    account.check([1], "something")
    assert account.good
    account.check([], "a job was lost")
    assert not account.good
    assert "WRONG: a job was lost" in account.text()
