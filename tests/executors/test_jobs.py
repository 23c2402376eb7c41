"""The job types noop, sleep and command, run by the real executor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jobdeck.core.claims import Claim
from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from jobdeck.core.outcome import Stopped, Succeeded
from jobdeck.core.tasks import Checkpointed, Progressed, TaskRequest
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import hear, request, until
from jobdeck.jobs.command import Command
from jobdeck.jobs.noop import Noop
from jobdeck.jobs.sleep import Sleep
from tests.executors.processes import alive


@pytest.fixture
async def executor() -> AsyncIterator[ProcessExecutor]:
    executor = ProcessExecutor(1)
    yield executor
    await executor.aclose()


def sleep(step: str = "sleep-0", part: int = 0, **params: Any) -> TaskRequest:
    return request(
        "sleep", step=step, part=part, type="sleep", implementation="jobdeck.jobs.sleep:Sleep", params=params
    )


def command(*argv: str, **params: Any) -> TaskRequest:
    params = {"argv": list(argv), **params}
    return request("run", type="command", implementation="jobdeck.jobs.command:Command", params=params)


def python(program: str, **params: Any) -> TaskRequest:
    return command(sys.executable, "-u", "-S", "-c", program, **params)


def test_noop_has_no_steps() -> None:
    assert Noop(Noop.Params()).plan() == []
    with pytest.raises(ValidationError):
        Noop.Params.model_validate({"x": 1})


def test_sleep_plans_its_steps() -> None:
    job = Sleep(
        Sleep.Params.model_validate({"steps": 3, "tasks": 4, "retries": 2, "backoff": 0.5, "write": "lake/a/b"})
    )
    plan = job.plan()
    assert [spec.name for spec in plan] == ["sleep-0", "sleep-1", "sleep-2"]
    assert plan[0].each is not None
    assert not isinstance(plan[0].each, str)
    assert list(plan[0].each(job.params)) == [0, 1, 2, 3]
    assert (plan[0].retry.attempts, plan[0].retry.backoff) == (3, 0.5)
    assert list(job.claims()) == [Claim.exclusive("object:lake/a/b")]
    assert job.subject() == "lake/a/b"
    assert Sleep(Sleep.Params()).subject() is None


@pytest.mark.parametrize(
    "params",
    [
        {"seconds": -1},
        {"seconds": float("inf")},
        {"steps": 10_001},
        {"tasks": 0},
        {"fail_step": 1},
        {"nap": 1},
        {"write": "x"},
    ],
)
def test_sleep_refuses(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sleep.Params.model_validate(params)


async def test_sleep_reports_and_ends(executor: ProcessExecutor) -> None:
    heard = await hear(await executor.start(sleep(seconds=0.3)))
    assert heard.outcome == Succeeded()
    assert heard.of(Progressed)[-1] == Progressed(300, 300, "ms")


async def test_sleep_goes_on_where_it_was_stopped(executor: ProcessExecutor) -> None:
    task = await executor.start(sleep(seconds=1000))
    async for message in task.messages():
        if isinstance(message, Progressed) and message.done > 0:
            break
    task.stop()
    heard = await hear(task)
    assert heard.outcome == Stopped()
    cursor = heard.of(Checkpointed)[-1].cursor
    assert cursor > 0
    resumed = await hear(await executor.start(replace(sleep(seconds=cursor / 1000), cursor=cursor)))
    assert resumed.outcome == Succeeded()
    assert [p.done for p in resumed.of(Progressed)] == [cursor]


async def test_sleep_fails_as_often_as_asked(executor: ProcessExecutor) -> None:
    failing = sleep(seconds=0, steps=2, tasks=2, fail_step=1, fail_times=2, step="sleep-1")
    for failures in (0, 1):
        heard = await hear(await executor.start(replace(failing, failures=failures)))
        assert heard.error.code == "sleep_failed"
        assert heard.error.retryable
    for fine in (replace(failing, failures=2), replace(failing, part=1), replace(failing, step="sleep-0")):
        assert (await hear(await executor.start(fine))).outcome == Succeeded()
    always = sleep(seconds=0, fail_step=0)
    assert (await hear(await executor.start(replace(always, failures=99)))).error.code == "sleep_failed"


async def test_sleep_can_ignore_everything_but_a_kill(executor: ProcessExecutor) -> None:
    task = await executor.start(sleep(seconds=1000, ignore_signals=True))
    pid = int(task.host.rpartition(":")[2])
    reports = (m async for m in task.messages() if isinstance(m, Progressed))
    await anext(reports)
    task.stop()
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    await anext(reports)
    await anext(reports)
    assert alive({pid})
    await task.kill()
    assert await task.outcome() == Stopped(killed=True)
    assert not alive({pid})


async def test_command_logs_and_succeeds(executor: ProcessExecutor, tmp_path: Path) -> None:
    program = "import os, sys; print(os.getcwd(), os.environ['A']); sys.stderr.write('warn'); sys.exit(3)"
    heard = await hear(
        await executor.start(python(program, cwd=str(tmp_path), env={"A": "s3cret"}, success_codes=[0, 3]))
    )
    assert heard.outcome == Succeeded()
    assert heard.lines("stdout") == [f"{tmp_path} s3cret"]
    assert heard.lines("stderr") == ["warn"]


async def test_command_output_is_whole(executor: ProcessExecutor) -> None:
    heard = await hear(await executor.start(command("seq", "1", "30000")))
    assert heard.lines() == [str(n) for n in range(1, 30_001)]
    heard = await hear(await executor.start(python("print('é' * 100_000)")))
    assert "".join(heard.lines()) == "é" * 100_000


async def test_command_failure_names_the_end(executor: ProcessExecutor) -> None:
    error = (await hear(await executor.start(python("print('the reason'); raise SystemExit(9)")))).error
    assert error.code == "command_failed"
    assert f"'{sys.executable}' ended with status 9. It said last:\nthe reason" in error.message
    error = (await hear(await executor.start(command("sh", "-c", "kill -9 $$")))).error
    assert "was killed by signal 9 (SIGKILL)" in error.message


async def test_command_stops_politely(executor: ProcessExecutor) -> None:
    program = """if True:
        import signal, sys, time
        signal.signal(signal.SIGINT, lambda *_: (print('bye'), sys.exit(0)))
        print('hi')
        time.sleep(1000)
    """
    task = await executor.start(python(program, stop_signal="SIGINT"))
    messages = task.messages()
    assert "hi" in str(await anext(messages))
    task.stop()
    heard = await hear(task)
    assert heard.outcome == Stopped()
    assert heard.lines() == ["bye"]


async def test_command_leaves_nothing(executor: ProcessExecutor, tmp_path: Path) -> None:
    program = f"sleep 1000 & echo $! > {tmp_path}/pid; yes > /dev/stdout & exit 0"
    heard = await hear(await executor.start(command("sh", "-c", program)))
    assert heard.outcome == Succeeded()
    assert not alive({int((tmp_path / "pid").read_text())})


async def test_command_timeout_kills(executor: ProcessExecutor) -> None:
    params = Command.Params(argv=["sleep", "1000"], timeout=0.3)
    (spec,) = Command(params).plan()
    task = await executor.start(replace(command("sleep", "1000", timeout=0.3), timeout=spec.timeout))
    assert (await hear(task)).error.code == "timeout"


async def test_missing_program_and_folder(executor: ProcessExecutor, tmp_path: Path) -> None:
    for request_, name in (
        (command("no-such-program"), "no-such-program"),
        (command("ls", cwd="/no/such"), "/no/such"),
    ):
        error = (await hear(await executor.start(request_))).error
        assert (error.code, error.retryable) == ("command_not_started", False)
        assert f"'{name}'" in error.message
    environment = Environment()
    with pytest.raises(InvalidInput, match="no-such-program") as caught:
        Command(Command.Params(argv=["no-such-program"])).check(environment)
    assert caught.value.field == "params.argv"
    with pytest.raises(InvalidInput, match="no/such") as caught:
        Command(Command.Params(argv=["ls"], cwd="/no/such")).check(environment)
    assert caught.value.field == "params.cwd"
    Command(Command.Params(argv=["ls"], cwd=str(tmp_path))).check(environment)


@pytest.mark.parametrize(
    "params", [{}, {"argv": []}, {"argv": [" "]}, {"argv": ["a\0b"]}, {"argv": ["a"], "env": {"a=b": "c"}}]
)
def test_command_refuses(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Command.Params.model_validate(params)


def test_command_tells_no_secrets() -> None:
    params = Command.Params(argv=["curl", "a b"], env={"TOKEN": "s3cret"})
    assert Command(params).description() == "curl 'a b'"
    assert "s3cret" not in repr(params)


async def test_what_a_program_prints_of_its_secrets_is_masked(executor: ProcessExecutor) -> None:
    variables = {"DB_PASSWORD": "first line\nsecond line", "API_TOKEN": "t0ken-of-mine", "REGION": "eu-west-1"}
    program = "import os, sys; print(*(os.environ[n] for n in sys.argv[1:])); sys.exit(3)"
    heard = await hear(await executor.start(command(sys.executable, "-c", program, *variables, env=variables)))
    assert heard.lines("stdout") == ["********", "******** ******** eu-west-1"]
    assert heard.error.message.endswith("said last:\n********\n******** ******** eu-west-1")


async def test_refused_parameters_are_not_repeated(executor: ProcessExecutor) -> None:
    error = (await hear(await executor.start(command("x", env={"TOKEN": ["s3cret"]})))).error
    assert error.code == "invalid_params"
    assert "s3cret" not in error.message + (error.traceback or "")


async def test_stopping_a_program_that_ignores_it_takes_a_kill(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = await executor.start(
        command("sh", "-c", f'trap "" TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done')
    )
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()), "the program")
    task.stop()
    pid = int((tmp_path / "pid").read_text())
    assert alive({pid})
    await task.kill()
    assert not alive({pid})
