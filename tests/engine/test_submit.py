"""What is accepted, once and as it was sent; and what is refused, with the place at fault."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jobdeck.core.errors import Conflict, InvalidInput, JobdeckError, TooLarge, UnknownJobType
from jobdeck.core.life.operations import Operation
from tests.engine.harness import Engine, script
from tests.engine.test_operations import FAR

ODD = {
    "big": 2**200, "small": -(2**70), "nul": "a\0b", "names": ["a/b", "c.d", "e'f", 'g"h', "i\\j", "k\nl", "", " "],
    "unicode": "ﷺ 🏴 \u202e e\u0301 \u2028 \x85", "float": 0.1, "none": None, "nested": [[[{"": []}]]], "true": True,
}  # fmt: skip


async def test_any_value_goes_there_and_back(engine: Engine) -> None:
    job = await engine.submit(payload=ODD)
    row = await engine.until(job, "succeeded")
    assert json.loads(row["params"])["payload"] == ODD
    assert json.loads(row["result"]) == [ODD]


async def test_names_of_any_kind(engine: Engine) -> None:
    odd = "t/../a.b 'c' \"d\" ☂ %00 \\ ; DROP"
    plot = script()
    job = await engine.submit_with(
        "scripted", {"key": plot.key, "claims": [[f"object:{odd}", 1, "x"]], "label": f"a\0{odd}"}, tags=[odd]
    )
    row = await engine.until(job, "succeeded")
    assert row["description"] == f"a␀{odd}"
    assert json.loads(row["tags"]) == [odd]


async def test_the_same_key_gives_the_first_answer(quiet: Engine) -> None:
    wanted = [quiet.submission("scripted", {"payload": i}) for i in range(3)]
    answers = await asyncio.gather(*(quiet.submit_all(*wanted, idempotency=("k", "hash")) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(Conflict) as refused:
        await quiet.submit_all(wanted[0], idempotency=("k", "another hash"))
    assert refused.value.field == "Idempotency-Key"
    assert len([e for e in await quiet.events() if e.kind == "submitted"]) == 3


async def test_the_same_key_gives_the_first_answer_even_if_it_would_be_refused_now(quiet: Engine) -> None:
    first = await quiet.submit_all(quiet.submission("scripted", {}), idempotency=("k", "hash"))
    gone = quiet.submission("no_such_type", {})
    assert await quiet.submit_all(gone, idempotency=("k", "hash")) == first
    with pytest.raises(UnknownJobType):
        await quiet.submit_all(gone, idempotency=("new", "hash"))


async def test_duplicates_while_the_first_is_open(engine: Engine) -> None:
    same: dict[str, Any] = {"not_before": FAR, "deduplicate": True}
    first = await engine.submit_with("scripted", {"payload": {"a": 1, "b": 2}}, **same)
    second = await engine.submit_with("scripted", {"payload": {"b": 2, "a": 1}}, **same)
    other = await engine.submit_with("scripted", {"payload": {"a": 1}}, **same)
    assert first == second != other
    twice = [engine.submission("scripted", {"payload": 3}, **same)] * 2
    pair = await engine.submit_all(*twice)
    assert pair[0] == pair[1]
    many = await asyncio.gather(*(engine.submit_with("scripted", {"payload": 4}, **same) for _ in range(6)))
    assert len(set(many)) == 1
    await engine.done(Operation.CANCEL, first)
    assert await engine.submit_with("scripted", {"payload": {"a": 1, "b": 2}}, **same) not in (first, other)


BAD: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("scripted", {"tasks": "many"}, {}, "params.tasks"),
    ("scripted", {"claims": [["a", 1, "x"], ["b", "c", "x"]]}, {}, "params.claims[1][1]"),
    ("scripted", {}, {"priority": 10}, "priority"),
    ("scripted", {}, {"priority": -1}, "priority"),
    ("scripted", {}, {"tags": ["x" * 101]}, "tags"),
    ("scripted", {}, {"tags": ["x"] * 21}, "tags"),
    ("scripted", {}, {"tags": [""]}, "tags"),
    ("scripted", {}, {"tags": ["\ud800"]}, "tags"),
    ("scripted", {"payload": "\ud800"}, {}, "params"),
    ("scripted", {"payload": float("nan")}, {}, "params"),
    ("scripted", {"payload": {1, 2}}, {}, "params"),
    ("scripted", {"payload": "x" * 300_000}, {}, "params"),
    ("scriptd", {}, {}, "type"),
]


async def test_all_or_nothing_with_the_place_at_fault(quiet: Engine) -> None:
    good = quiet.submission("scripted", {})
    for type_name, params, facts, field in BAD:
        bad = quiet.submission(type_name, params, **facts)
        with pytest.raises(JobdeckError) as refused:
            await quiet.submit_all(good, good, good, bad, good)
        assert refused.value.field == f"jobs[3].{field}"
        assert isinstance(refused.value, InvalidInput | TooLarge)
        with pytest.raises(JobdeckError) as refused:
            await quiet.submit_all(bad)
        assert refused.value.field == field
    assert [e.kind for e in await quiet.events() if e.job_id] == []


async def test_deeply_nested_parameters(quiet: Engine) -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput) as refused:
        await quiet.submit(payload=deep)
    assert refused.value.field is not None
    assert refused.value.field.startswith("params")


async def test_not_before(engine: Engine) -> None:
    now = await engine.database.now()
    past = await engine.submit_with("scripted", {}, not_before=now - 1)
    soon = await engine.submit_with("scripted", {}, not_before=now + 800_000)
    far = await engine.submit_with("scripted", {}, not_before=FAR)
    await engine.until(past, "succeeded")
    assert (await engine.reasons(soon))[0].until == now + 800_000
    row = await engine.until(soon, "succeeded")
    assert row["started_at"] >= now + 800_000
    assert await engine.state(far) == "pending"
    for job in (past, soon):
        row = await engine.job(job)
        assert row["not_before"] is None


async def test_one_look_at_a_project_is_enough_for_a_batch(quiet: Engine) -> None:
    asked: list[str] = []
    answer = quiet.submitter._environments

    async def counted(project: str) -> object:
        asked.append(project)
        return await answer(project)

    quiet.submitter._environments = counted  # type: ignore[assignment]
    await quiet.submit_all(*[quiet.submission("scripted", {}) for _ in range(50)])
    assert asked == ["default"]
