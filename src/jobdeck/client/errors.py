"""What can go wrong between a program and the server; an answer of the server keeps its problem document."""

from __future__ import annotations

from pydantic import ValidationError

from jobdeck.core.errors import JobdeckError
from jobdeck.core.output import complaints
from jobdeck.wire.jobs import Job
from jobdeck.wire.problem import Problem


class ClientError(JobdeckError):
    """Base of all errors that the client raises by itself."""


class Unreachable(ClientError, code="unreachable", kind="unavailable"):
    """Nothing answers at the server's address, or the connection broke and trying again did not help."""


class UnexpectedAnswer(ClientError, code="unexpected_answer", kind="unavailable"):
    """Something answers there, and it does not speak Jobdeck's API."""


class PandasMissing(ClientError, ImportError, code="pandas_missing", kind="unavailable"):
    """A frame was asked for, and pandas is not installed."""


class StillRunning(ClientError, TimeoutError, code="still_running", kind="unavailable"):
    """The job had not ended when the time to wait was over; `job` is as last seen, and goes on."""

    def __init__(self, job: Job, seconds: float) -> None:
        super().__init__(f"Job {job.id} is still {job.state} after {seconds:g} s; it goes on.")
        self.job = job


class ApiError(ClientError):
    """The server said no; `problem` is its problem document, `status` its HTTP status."""

    def __init__(self, problem: Problem) -> None:
        message = problem.detail or problem.title or f"The server answered with status {problem.status}."
        super().__init__(message, field=problem.field, hint=problem.hint, **problem.facts)
        self.problem = problem
        self.status = problem.status


class Invalid(ApiError):
    """A value that was sent cannot be used; `field` says which."""


class Unauthorized(ApiError):
    """No token was sent, or it is unknown, expired or revoked."""


class Forbidden(ApiError):
    """The token is good and its role does not include this."""


class NotFound(ApiError):
    """There is no such thing, or the token may not see it."""


class Refused(ApiError):
    """The state of things does not allow it; `facts` may carry `state`, `operation` and `allowed`."""


class RateLimited(ApiError):
    """Too many requests in too short a time, even after waiting as the server asked."""


class ServerFailed(ApiError):
    """The server failed at it; the same request may succeed later."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: NotFound,
    409: Refused,
    410: NotFound,
    412: Refused,
    423: Refused,
    429: RateLimited,
}


def error_of(problem: Problem) -> ApiError:
    """The error named after the problem's cause."""
    otherwise = ServerFailed if problem.status >= 500 else Invalid
    return _BY_STATUS.get(problem.status, otherwise)(problem)


def explain(error: ValidationError) -> tuple[str | None, str]:
    """The field and the message of the first thing that a pydantic error complains about."""
    first = error.errors(include_url=False, include_context=False)[0]
    return ".".join(str(part) for part in first["loc"]) or None, complaints.told(first["msg"])
