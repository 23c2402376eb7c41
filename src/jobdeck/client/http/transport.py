"""Requests and answers over HTTP: tokens, retries, problem documents."""

from __future__ import annotations

import itertools
import re
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from jobdeck.client.errors import ApiError, UnexpectedAnswer, Unreachable, error_of
from jobdeck.client.http.certificates import trusted, untrusted
from jobdeck.client.settings import Settings
from jobdeck.core.errors import InvalidInput
from jobdeck.wire.base import Request
from jobdeck.wire.problem import Problem

R = TypeVar("R", bound=BaseModel)
Params = Mapping[str, Any]

PREFIX = "/api/v1"
_MARKUP = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_IN_DEFAULT = "/projects/default/"
RETRIED_STATUS = frozenset({429, 502, 503, 504})
HOW_TO_LOG_IN = (
    "Give a token with --token or JOBDECK_TOKEN; on the server's machine, name its folder with --home or JOBDECK_HOME, "
    "whose admin.token is read."
)
HOW_TO_READ = "Read it as its owner, or give a token with --token or JOBDECK_TOKEN."
LONGEST_PAUSE = 30.0
"""Seconds that a request waits at most before it is tried again, whatever the server asks."""


class Transport:
    """Speaks to one server. Every write carries an idempotency key, so that repeating it is safe."""

    def __init__(self, settings: Settings, timeout: float = 30.0, attempts: int = 4) -> None:
        self.settings = settings
        self.attempts = attempts
        self._bound: str | None = None
        """The project that the token is bound to, once that was asked."""
        headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        self._http = httpx2.Client(
            base_url=settings.url,
            headers={"User-Agent": "jobdeck-client", **headers},
            timeout=timeout,
            verify=trusted() if settings.url.startswith("https:") else False,
            trust_env=not settings.is_local,
        )
        # A client that nobody closed closes its connections when it goes, at the latest at exit.
        self.close = weakref.finalize(self, self._http.close)

    def get(self, answer: type[R], path: str, params: Params | None = None) -> R:
        """The resource at `path` (below `/api/v1`) as an `answer`."""
        return parsed(answer, self._exchange("GET", path, params=_query(params)))

    def state(self, answer: type[R], path: str) -> R:
        """As `get`, of how the server is: 503 is an answer to that, too, and tells which of its `parts` is wrong."""
        return parsed(answer, self._exchange("GET", path, answers=_tells_parts))

    def write(self, method: str, path: str, body: Request | None = None, key: str | None = None) -> httpx2.Response:
        """Ask for a change; `key` is the idempotency key, made up when not given."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        if body is None:
            return self._exchange(method, path, headers=headers)
        headers["Content-Type"] = "application/json"
        return self._exchange(method, path, headers=headers, content=_sent(body))

    def post(self, answer: type[R], path: str, body: Request | None = None, key: str | None = None) -> R:
        return parsed(answer, self.write("POST", path, body, key))

    def upload(
        self, answer: type[R], path: str, name: str, source: BinaryIO, fields: Mapping[str, Any], method: str = "POST"
    ) -> R:
        """Send what `source` holds as a multipart form; from its beginning again when the connection breaks."""
        key = uuid.uuid4().hex
        headers = {"Idempotency-Key": key, "Content-Type": f"multipart/form-data; boundary={key}"}
        response = self._exchange(method, path, headers=headers, source=(name, source), data=dict(fields))
        return parsed(answer, response)

    @contextmanager
    def stream(
        self, path: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None, quiet: float = 60.0
    ) -> Iterator[httpx2.Response]:
        """A response read piece by piece; broken off when nothing came for `quiet` seconds."""
        timeout = httpx2.Timeout(self._http.timeout.connect, read=quiet)
        try:
            with self._http.stream(
                "GET", PREFIX + path, params=_query(params), headers=headers, timeout=timeout
            ) as response:
                _refuse_page(response, self.settings.url)
                if not response.is_success:
                    response.read()
                    raise self._refused(response)
                yield response
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        source: tuple[str, BinaryIO] | None = None,
        answers: Callable[[httpx2.Response], bool] = lambda _: False,
        **options: Any,
    ) -> httpx2.Response:
        """The answer, tried again where the connection broke or the server asked for patience; what `answers` accepts
        is one, whatever its status."""
        lost = False
        if source is not None:
            path = self._own_project(path) or path  # a refusal in the middle of sending would look like a broken line
        for attempt in itertools.count(1):
            if source is not None:
                source[1].seek(0)
                options["files"] = {"file": source}
            try:
                response = self._http.request(method, PREFIX + path, **options)
            except httpx2.TransportError as error:
                if attempt >= self.attempts or not _may_help(error):
                    raise self._unreachable(error) from error
                lost = lost or not isinstance(error, httpx2.ConnectError)
                time.sleep(_pause(attempt))
                continue
            _refuse_page(response, self.settings.url)
            # A deletion whose answer was lost finds nothing the second time: it was done the first time.
            done_before = method == "DELETE" and lost and response.status_code == 404
            if response.is_success or done_before or answers(response):
                return response
            if response.status_code == 404 and (own := self._own_project(path)) is not None:
                path = own
                continue
            if response.status_code not in RETRIED_STATUS or attempt >= self.attempts:
                raise self._refused(response)
            time.sleep(_asked_pause(response) or _pause(attempt))
        raise AssertionError("the loop ends with an answer or an error")

    def _own_project(self, path: str) -> str | None:
        """`path` in the project that the token is bound to, where it names the default project and that is another one:
        such a token sees no other, so it need not be named."""
        if not path.startswith(_IN_DEFAULT):
            return None
        if self._bound is None:
            known = self._http.get(f"{PREFIX}/me")
            self._bound = (known.json().get("project") or "") if known.is_success else ""
        if not self._bound or path.startswith(f"/projects/{path_part(self._bound)}/"):
            return None
        return f"/projects/{path_part(self._bound)}/{path[len(_IN_DEFAULT) :]}"

    def _refused(self, response: httpx2.Response) -> ApiError:
        """The error that the server answered; that a token is missing has its reason here."""
        problem = _problem(response)
        if response.status_code in _OF_PROXIES and "problem+json" not in response.headers.get("content-type", ""):
            said = f" It says: {problem.detail}" if problem.detail else ""
            answered = f"{response.status_code} {response.reason_phrase}".strip()
            problem.detail = f"A proxy before {self.settings.url} answered {answered}; no Jobdeck server did.{said}"
            problem.hint = _BEHIND_PROXY
        if problem.status == 401 and self.settings.token is None:
            if self.settings.unread:
                problem.detail = f"{problem.detail} {self.settings.unread}".strip()
            problem.hint = HOW_TO_READ if self.settings.unread else HOW_TO_LOG_IN
        return error_of(problem)

    def _unreachable(self, error: httpx2.TransportError) -> Unreachable:
        if (refused := untrusted(error)) is not None:
            why, hint = f"The certificate of {self.settings.url} is not good here", refused
        elif isinstance(error, httpx2.ConnectError):
            why, hint = (
                f"No Jobdeck server answers at {self.settings.url}",
                f"{self.settings.origin} Start one with `jobdeck up`, or name it with --url or JOBDECK_URL.".strip(),
            )
        elif isinstance(error, httpx2.TimeoutException):
            why, hint = f"The server at {self.settings.url} did not answer in time", "Try again, or allow more time."
        else:
            why, hint = f"The connection to {self.settings.url} broke", "Try again."
        detail = str(error)
        return Unreachable(f"{why} ({detail})." if detail else f"{why}.", hint=hint)


_OF_PROXIES = (502, 503, 504)
_BEHIND_PROXY = (
    "Look whether the server behind the proxy runs (`jobdeck health` on its machine), and whether the proxy leads to "
    "its address and path prefix."
)


def _sent(body: Request) -> str:
    """The body as JSON; raises InvalidInput for text that has no UTF-8."""
    try:
        return body.model_dump_json(exclude_unset=True, by_alias=True)
    except PydanticSerializationError as error:
        raise InvalidInput("A value is not text in UTF-8, and cannot be sent.", hint="Write it in UTF-8.") from error


def path_part(value: object) -> str:
    """`value` as one part of a path."""
    return quote(str(value), safe="")


def parsed(answer: type[R], response: httpx2.Response) -> R:
    """The body of `response` as an `answer`; raises UnexpectedAnswer when it is not one."""
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise UnexpectedAnswer(
            f"{response.request.url} answered something else than a {answer.__name__} ({where}: {problem['msg']}).",
            hint="Is a Jobdeck server of a like version at this address?",
        ) from error


def _refuse_page(response: httpx2.Response, url: str) -> None:
    """Raises UnexpectedAnswer for a page for people, or a way to one: its text is of no use to a program."""
    final = response.status_code < 500 and response.status_code not in RETRIED_STATUS
    if final and (_is_page(response) or response.is_redirect):
        status = f"status {response.status_code}"
        raise UnexpectedAnswer(
            f"{response.request.url} answered with a page for people ({status}), not with Jobdeck's API.",
            hint="Name the address of the server alone, such as http://127.0.0.1:8380 or, below a path, "
            f"https://example.com/jobdeck, not of a page ({url}).",
        )


def _is_page(response: httpx2.Response) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def _tells_parts(response: httpx2.Response) -> bool:
    """Whether it is what a server that cannot serve says of its parts, and no refusal of a proxy before it."""
    try:
        return response.status_code == 503 and isinstance(response.json()["parts"], dict)
    except (ValueError, KeyError, TypeError):
        return False


def _words(page: str) -> str:
    """What a page of a proxy says, without its markup."""
    return " ".join(_MARKUP.sub(" ", page[:100_000]).split())


def _problem(response: httpx2.Response) -> Problem:
    try:
        body = response.json()
        values = {**body, "status": response.status_code}
        if not isinstance(values.get("detail", ""), str):
            values["detail"] = str(values["detail"])
        return Problem.model_validate(values)
    except (ValueError, TypeError):
        text = (_words(response.text) if _is_page(response) else response.text.strip())[:200]
        return Problem(status=response.status_code, title=response.reason_phrase, detail=text)


def _query(params: Params | None) -> dict[str, Any]:
    """The parameters that were given; None means not given."""
    return {name: value for name, value in (params or {}).items() if value is not None}


def _may_help(error: httpx2.TransportError) -> bool:
    return isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError | httpx2.ConnectTimeout)


def _pause(attempt: int) -> float:
    return float(min(5.0, 0.15 * 2 ** (attempt - 1)))


def _asked_pause(response: httpx2.Response) -> float | None:
    try:
        return min(LONGEST_PAUSE, max(0.0, float(response.headers.get("Retry-After", ""))))
    except ValueError:
        return None
