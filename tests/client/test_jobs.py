from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobdeck.client import Client, Invalid, NotFound, Refused, UnexpectedAnswer
from jobdeck.core.errors import InvalidInput
from jobdeck.core.life.states import State
from jobdeck.wire.jobs import SubmitRequest
from tests.client.contract_server import ContractServer


def test_submit_sends_what_was_given_and_nothing_else(client: Client, server: ContractServer) -> None:
    job = client.jobs.submit("sleep", {"seconds": 2**70}, priority=7, tags=["a"], project="p/1")

    sent = server.requests("POST", "/projects/p%2F1/jobs")[0]
    assert sent.json == {"type": "sleep", "params": {"seconds": 2**70}, "priority": 7, "tags": ["a"]}
    assert sent.headers["idempotency-key"]
    assert (job.id, job.state, job.params) == (1, State.PENDING, {"seconds": 2**70})


def test_times_are_exact_and_timezone_aware(client: Client, server: ContractServer) -> None:
    created = client.jobs.get(server.add_job()).created_at
    assert created == datetime(2026, 11, 20, 7, 34, 0, 123456, tzinfo=UTC)
    assert created.utcoffset() == timedelta(0)


def test_fields_of_a_newer_server_are_kept(client: Client, server: ContractServer) -> None:
    job = client.jobs.get(server.add_job())
    assert job.model_dump()["run_later_than_you"] == {"know": 1}


def test_actions_tell_what_is_allowed_and_why_not(client: Client, server: ContractServer) -> None:
    actions = client.jobs.get(server.add_job("succeeded")).actions
    assert actions["delete"].allowed
    assert (actions["pause"].allowed, actions["pause"].why) == (False, "it is succeeded")


@pytest.mark.parametrize(("field", "values"), [("priority", {"priority": 10}), ("tags.0", {"tags": ["x" * 101]})])
def test_what_cannot_be_sent_is_refused_before_sending(
    client: Client, server: ContractServer, field: str, values: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.jobs.submit("sleep", **values)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert not server.seen


def test_batch_answers_in_order(client: Client, server: ContractServer) -> None:
    jobs = client.jobs.submit_all([SubmitRequest(type="a"), SubmitRequest(type="b", priority=1)])
    assert [(job.type, job.priority) for job in jobs] == [("a", 5), ("b", 1)]


def test_list_runs_through_all_pages(client: Client, server: ContractServer) -> None:
    for _ in range(1003):
        server.add_job()
    assert [job.id for job in client.jobs.list()] == list(range(1003, 0, -1))
    assert len(server.requests("GET", "/jobs")) == 3


def test_filters_travel_as_query_parameters(client: Client, server: ContractServer) -> None:
    server.add_job("failed")
    server.add_job("running")
    since = datetime(2026, 1, 1, tzinfo=UTC)
    page = client.jobs.page(state=["failed", "paused"], since=since, top_level=True, tag=None, limit=5)
    assert [job.state for job in page.items] == ["failed"]
    query = server.seen[-1].query
    assert query == {
        "state": ["failed", "paused"],
        "since": ["2026-01-01T00:00:00+00:00"],
        "top_level": ["true"],
        "limit": ["5"],
    }


def test_operations_change_the_job(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    at = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    assert client.jobs.pause(id_, "lunch", resume_at=at).state == "paused"
    assert server.seen[-1].json == {"reason": "lunch", "resume_at": "2026-12-01T08:00:00Z"}
    assert client.jobs.resume(id_).state == "pending"
    assert client.jobs.set_priority(id_, 9).priority == 9
    assert client.jobs.cancel(id_).state == "canceled"
    client.jobs.delete(id_)
    assert id_ not in server.jobs


def test_a_refusal_carries_state_operation_and_what_is_allowed(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("succeeded")
    with pytest.raises(Refused, match="cannot be canceled: it has succeeded") as caught:
        client.jobs.cancel(id_)
    assert caught.value.facts == {"state": "succeeded", "operation": "cancel", "allowed": ["delete"]}
    assert caught.value.problem.code == "operation_refused"
    assert caught.value.hint == "It can be deleted."


def test_problems_become_errors_named_after_their_cause(client: Client) -> None:
    with pytest.raises(NotFound, match="There is no job 77"):
        client.jobs.get(77)
    with pytest.raises(Invalid) as caught:
        client.jobs.submit("nonsense")
    assert (caught.value.field, caught.value.hint, caught.value.status) == ("type", "Try: sleep.", 422)
    with pytest.raises(Invalid) as several:
        client.jobs.submit("sleep", {"seconds": "many"})
    assert [e.field for e in several.value.problem.errors] == ["params.seconds", "params.x"]


def test_an_answer_that_is_no_job_is_said_to_be_none(client: Client, server: ContractServer) -> None:
    id_ = server.add_job()
    del server.jobs[id_]["created_at"]
    with pytest.raises(UnexpectedAnswer, match="created_at"):
        client.jobs.get(id_)


def test_logs_follow_until_the_job_has_ended(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    line = {"at": "2026-11-20T07:34:00Z", "level": "info", "step": "load", "task": 0}
    server.logs[id_] = [[{**line, "text": "one"}], [], [{**line, "text": "two\u2028three"}]]
    texts = []
    for entry in client.jobs.logs(id_, follow=True, tail=10, q="o"):
        texts.append(entry.text)
        if len(texts) == 2:
            server.change(id_, state="succeeded")
    assert texts == ["one", "two\u2028three"]
    first, *others = server.requests("GET", f"/jobs/{id_}/logs")
    assert first.query["tail"] == ["10"]
    assert all("tail" not in other.query and other.query["after"] == ["c1"] for other in others)


def test_logs_of_a_running_job_end_without_follow(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    server.logs[id_] = [[{"at": "2026-11-20T07:34:00Z", "text": "one"}]]
    assert [entry.text for entry in client.jobs.logs(id_)] == ["one"]
    assert not list(client.jobs.logs(id_, level="error", step="load", task=0))
    only = {"level": ["error"], "step": ["load"], "task": ["0"], "limit": ["2000"]}
    assert [asked.query for asked in server.seen[-2:]] == [only, {**only, "after": ["c1"]}]  # up to the end, once more
    assert not list(client.jobs.logs(id_, level=("error", "stderr")))
    assert server.seen[-1].query["level"] == ["error", "stderr"]


def test_steps_events_attempts_and_lineage(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    task = {"index": 0, "key": "a", "state": "running", "host": "h:1", "attempts": 1, "rows": 5}
    server.steps[id_] = [{"index": 0, "name": "load", "state": "running", "tasks": [task]}]
    server.change(id_, state="paused")
    assert client.jobs.steps(id_)[0].tasks[0].rows == 5
    assert [event.data["state"] for event in client.jobs.events(id_)] == ["paused"]
    assert client.jobs.attempts(id_)[0].attempt == 1
    assert client.jobs.lineage(id_).upstream == [7]
    assert client.jobs.counts(state="pending") == {"pending": 3, "running": 1}


def test_run_again_and_the_whole_log(client: Client, server: ContractServer, tmp_path: Path) -> None:
    id_ = server.add_job("failed")
    job = client.jobs.run_again(id_, {"steps": 2}, tags=[])
    assert (job.copied_from, job.params) == (id_, {"seconds": 1.0, "steps": 2})
    assert server.seen[-1].json == {"params": {"steps": 2}, "tags": []}
    client.jobs.run_again(id_)
    assert server.seen[-1].json == {}
    assert client.jobs.run_again(id_, {"steps": 2}, replace=True).params == {"steps": 2}
    assert server.seen[-1].json == {"params": {"steps": 2}, "replace": True}
    assert client.jobs.download_log(id_, tmp_path / "a.log", attempt=1).read_text() == "log of 1\n"
    assert server.seen[-1].query == {"attempt": ["1"]}
    with pytest.raises(NotFound):
        client.jobs.download_log(77, tmp_path / "b.log")
    assert [p.name for p in tmp_path.iterdir()] == ["a.log"]


def test_many_are_submitted_for_their_ids(client: Client, server: ContractServer) -> None:
    wanted = [SubmitRequest(type="noop"), SubmitRequest(type="noop")]
    assert client.jobs.submit_ids(wanted, project="p") == [1, 2]
    assert server.seen[-1].query == {"fields": ["id"]}


@pytest.mark.parametrize("params", ["seconds=1", [1], 5])
def test_parameters_that_are_no_names_with_values_are_refused_here(
    client: Client, server: ContractServer, params: object
) -> None:
    for submit in (client.jobs.submit, client.jobs.dry_run):
        with pytest.raises(InvalidInput, match="params are names with values, not") as refused:
            submit("sleep", params)  # type: ignore[arg-type]
        assert refused.value.field == "params"
    assert not server.jobs
