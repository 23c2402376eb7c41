"""Tasks are shown by what they work on."""

from __future__ import annotations

import json

import pytest

from jobdeck.engine.worker.planning import MAX_KEY, task_keys


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        (["/in/a.csv", "/in/b.csv"], ["a.csv", "b.csv"]),
        (["/in/2024/a.csv", "/in/2025/a.csv"], ["2024/a.csv", "2025/a.csv"]),
        (["/in/a.csv"], ["a.csv"]),
        (["s3://lake/x/one.json", "s3://lake/x/y/two.json"], ["one.json", "y/two.json"]),
        (["north", "northwest"], ["north", "northwest"]),
        (["/in/ab/", "/in/ac/"], ["ab/", "ac/"]),
        ([{"key": "k", "name": "n"}, {"name": "n"}, {"path": "/p/q"}, {"rows": 3}], ["k", "n", "/p/q", "load[3]"]),
        ([{"id": 7}, {"id": 0}, {"name": ["x"]}], ["7", "load[1]", "load[2]"]),
        ([1, 2.5, None, [1], ""], ["load[0]", "load[1]", "load[2]", "load[3]", "load[4]"]),
        (["a\nb"], ["a\N{REPLACEMENT CHARACTER}b"]),
        (["/in/a", 5, "/in/b"], ["a", "load[1]", "b"]),
    ],
)
def test_keys(parts: list[object], keys: list[str]) -> None:
    assert task_keys("load", [json.dumps(part) for part in parts]) == keys


def test_a_step_of_one_task_and_long_names() -> None:
    assert task_keys("load", [None]) == ["load[0]"]
    (key,) = task_keys("load", [json.dumps("x" * 5000)])
    assert len(key) <= MAX_KEY
    long = task_keys("load", [json.dumps(f"/{'d' * 300}/{end}.csv") for end in ("a", "b")])
    assert long == ["a.csv", "b.csv"]
