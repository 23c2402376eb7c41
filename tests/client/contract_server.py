"""A small HTTP server that answers as the API's contract says, and misbehaves where a test asks it to."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jobdeck.core.life.operations import PAST, how_it_is
from jobdeck.core.life.states import State
from tests.client.contract_rules import ALLOWED, EFFECT, Refusal

TOKEN = "jd_secret_of_the_test"
AT = "2026-11-20T07:34:00.123456Z"


@dataclass
class Seen:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Fault:
    """What happens to the next request that fits, instead of or after its answer."""

    method: str
    path: str
    kind: str
    """`drop` (before the work), `drop_after` (the work is done, the answer is lost), or an HTTP status."""
    headers: dict[str, str] = field(default_factory=dict)


class ContractServer:
    """The state behind the answers; tests set it and look at it."""

    def __init__(self) -> None:
        self.jobs: dict[int, dict[str, Any]] = {}
        self.scripts: dict[int, list[dict[str, Any]]] = {}
        self.steps: dict[int, list[dict[str, Any]]] = {}
        self.logs: dict[int, list[list[dict[str, Any]]]] = {}
        self.files: dict[int, tuple[dict[str, Any], bytes]] = {}
        self.limits: dict[str, int] = {}
        self.pauses: dict[str, str | None] = {}
        self.events: list[dict[str, Any]] = []
        self.health: tuple[int, Any] = (200, {"status": "ok", "version": "0.1.0", "parts": {"database": "ok"}})
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.by_key: dict[str, tuple[int, Any]] = {}
        self.streams = True
        self.drop_stream_after: int | None = None
        self.changed = threading.Condition()
        self.stopping = False
        self.url = ""

    # What tests do.

    def add_job(self, state: str = "pending", *, then: list[dict[str, Any] | str] | None = None, **more: Any) -> int:
        """A job; each look at it takes the next of `then` (a state, or fields to change)."""
        id_ = len(self.jobs) + 1
        self.jobs[id_] = {
            "id": id_,
            "run_id": str(id_),
            "project": "default",
            "type": "sleep",
            "category": "test",
            "state": state,
            "params": {"seconds": 1.0},
            "created_at": AT,
            "created_by": "admin",
            "run_later_than_you": {"know": 1},
            **more,
        }
        self.scripts[id_] = [{"state": step} if isinstance(step, str) else step for step in then or []]
        return id_

    def change(self, id_: int, **fields: Any) -> None:
        """Change a job and tell it as an event."""
        with self.changed:
            self.jobs[id_].update(fields)
            event = {"id": len(self.events) + 1, "at": AT, "kind": "job.state", "project": "default", "job": id_}
            self.events.append({**event, "actor": "worker", "data": {"state": self.jobs[id_]["state"]}})
            self.changed.notify_all()

    def note(self, seen: Seen) -> None:
        with self.changed:
            self.seen.append(seen)
            self.changed.notify_all()

    def requests(self, method: str, path: str) -> list[Seen]:
        return [s for s in self.seen if s.method == method and re.fullmatch(path, s.path)]

    def wait_for_event(self, last: int) -> None:
        self.changed.wait_for(lambda: len(self.events) > last or self.stopping, timeout=0.2)

    # What the API does.

    def view(self, id_: int) -> dict[str, Any]:
        job = self.jobs[id_]
        allowed = ALLOWED.get(job["state"], [])
        names = ("cancel", "pause", "resume", "restart", "delete")
        actions = {
            n: {"allowed": n in allowed, "why": None if n in allowed else f"it is {job['state']}"} for n in names
        }
        return {"progress": {"fraction": 0.0, "done": 0, "total": None, "unit": ""}, **job, "actions": actions}

    def job(self, text: str) -> int:
        if int(text) not in self.jobs:
            raise Refusal(404, "not_found", f"There is no job {text}.", hint="It may have been deleted.")
        return int(text)

    def look(self, id_: int) -> dict[str, Any]:
        view = self.view(id_)
        if self.scripts[id_]:
            self.change(id_, **self.scripts[id_].pop(0))
        return view

    def submit(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        if body["type"] == "nonsense":
            raise Refusal(422, "unknown_job_type", "There is no job type 'nonsense'.", field="type", hint="Try: sleep.")
        params = body.get("params", {})
        if params.get("seconds") == "many":
            errors = [
                {"field": "params.seconds", "message": "not a number"},
                {"field": "params.x", "message": "unknown"},
            ]
            raise Refusal(422, "invalid_input", "The parameters do not fit.", errors=errors)
        then = params.pop("then", None)
        given = {name: body[name] for name in ("type", "params", "priority", "tags", "description") if name in body}
        return self.view(self.add_job(project=project, then=then, **given))

    def plan(self, body: dict[str, Any]) -> dict[str, Any]:
        """Of imports alone, and only that a file is missing."""
        place = body["params"]["files"].index("file:0")
        raise Refusal(422, "invalid_input", "There is no project file 0.", field=f"params.files[{place}]")

    def run_again(self, id_: int, body: dict[str, Any]) -> dict[str, Any]:
        old = self.jobs[id_]
        params = {**({} if body.pop("replace", False) else old["params"]), **body.pop("params", {})}
        return self.view(self.add_job(**{**body, "type": old["type"], "params": params, "copied_from": id_}))

    def operate(self, id_: int, operation: str) -> dict[str, Any]:
        state = self.jobs[id_]["state"]
        if operation not in ALLOWED.get(state, []):
            raise Refusal(
                409,
                "operation_refused",
                f"Job {id_} cannot be {PAST[operation]}: {how_it_is(State(state))}.",
                hint="It can be deleted.",
                state=state,
                operation=operation,
                allowed=ALLOWED.get(state, []),
            )
        self.change(id_, state=EFFECT[operation])
        return self.view(id_)

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted = [self.view(i) for i in sorted(self.jobs, reverse=True) if self._fits(self.jobs[i], query)]
        start, limit = int(query.get("cursor", ["0"])[0]), int(query.get("limit", ["100"])[0])
        if limit > 500:
            raise Refusal(422, "invalid_input", "limit is at most 500.", field="limit")
        more = start + limit < len(wanted)
        return {"items": wanted[start : start + limit], "next": str(start + limit) if more else None}

    def _fits(self, job: dict[str, Any], query: dict[str, list[str]]) -> bool:
        return all(str(job[n]) in query[n] for n in ("project", "state", "type") if n in query)

    def log_page(self, id_: int) -> dict[str, Any]:
        pages = self.logs.get(id_, [])
        items = pages.pop(0) if pages else []
        alive = bool(pages) or self.jobs[id_]["state"] == "running"
        return {"items": items, "next": "c1" if alive else None}

    def upload(self, content_type: str, body: bytes) -> dict[str, Any]:
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(head + body)
        parts = {p.get_param("name", header="content-disposition"): p for p in form.iter_parts()}
        content = parts["file"].get_payload(decode=True)
        assert isinstance(content, bytes)
        id_ = len(self.files) + 1
        info = {"id": id_, "project": "default", "name": parts["file"].get_filename(), "bytes": len(content)}
        self.files[id_] = ({**info, "sha256": hashlib.sha256(content).hexdigest(), "created_at": AT}, content)
        return self.files[id_][0]


Route = tuple[str, str, Callable[..., tuple[int, Any]]]


def routes(s: ContractServer) -> list[Route]:
    """Method, path below /api/v1, and what answers: status and body."""
    return [
        ("GET", "/health", lambda _q: s.health),
        ("GET", "/me", lambda _q: (200, {"name": "admin", "role": "admin"})),
        ("GET", "/types", lambda _q: (200, {"items": [SLEEP], "next": None})),
        ("GET", "/types/sleep", lambda _q: (200, SLEEP)),
        ("GET", "/jobs", lambda q: (200, s.page(q.query))),
        ("GET", "/jobs/counts", lambda _q: (200, {"pending": 3, "running": 1})),
        ("GET", r"/jobs/(\d+)", lambda _q, i: (200, s.look(s.job(i)))),
        ("GET", r"/jobs/(\d+)/steps", lambda _q, i: (200, {"items": s.steps.get(s.job(i), [])})),
        (
            "GET",
            r"/jobs/(\d+)/attempts",
            lambda _q, _i: (200, {"items": [{"attempt": 1, "state": "failed"}], "next": None}),
        ),
        ("GET", r"/jobs/(\d+)/events", lambda _q, i: (200, {"items": [e for e in s.events if e["job"] == int(i)]})),
        ("GET", r"/jobs/(\d+)/logs", lambda _q, i: (200, s.log_page(s.job(i)))),
        (
            "GET",
            r"/jobs/(\d+)/lineage",
            lambda _q, _i: (200, {"inputs": [{"object": "file:1"}], "outputs": [], "upstream": [7]}),
        ),
        (
            "POST",
            r"/projects/([^/]+)/jobs",
            lambda q, p: (202, s.plan(q.json) if "dry_run" in q.query else s.submit(p, q.json)),
        ),
        (
            "POST",
            r"/projects/([^/]+)/jobs/batch",
            lambda q, p: (202, {"items": [s.submit(p, j) for j in q.json["jobs"]]}),
        ),
        ("POST", r"/jobs/(\d+)/(cancel|pause|resume|restart)", lambda _q, i, o: (202, s.operate(s.job(i), o))),
        ("POST", r"/jobs/(\d+)/run-again", lambda q, i: (202, s.run_again(s.job(i), q.json))),
        ("GET", r"/jobs/(\d+)/logs/download", lambda _q, i: (200, f"log of {s.job(i)}\n".encode())),
        ("PATCH", r"/jobs/(\d+)", lambda q, i: (200, {**s.view(s.job(i)), **q.json})),
        ("DELETE", r"/jobs/(\d+)", lambda _q, i: (204, _gone(s.jobs, s.job(i)))),
        ("POST", r"/projects/([^/]+)/files", lambda q, _p: (201, s.upload(q.headers["content-type"], q.body))),
        (
            "GET",
            r"/projects/([^/]+)/files",
            lambda _q, _p: (200, {"items": [f for f, _ in s.files.values()], "next": None}),
        ),
        ("GET", r"/projects/([^/]+)/files/(\d+)", lambda _q, _p, i: (200, s.files[int(i)][0])),
        ("GET", r"/projects/([^/]+)/files/(\d+)/content", lambda _q, _p, i: (200, s.files[int(i)][1])),
        ("DELETE", r"/projects/([^/]+)/files/(\d+)", lambda _q, _p, i: (204, _gone(s.files, int(i)))),
        ("GET", r"/projects/([^/]+)/objects", lambda _q, _p: (200, {"items": [TABLE], "next": None})),
        (
            "GET",
            r"/projects/([^/]+)/objects/(.+)/rows",
            lambda _q, _p, _r: (200, {"columns": TABLE["columns"], "items": ROWS}),
        ),
        ("GET", r"/projects/([^/]+)/objects/(.+)", lambda _q, _p, r: (200, {**TABLE, "ref": unquote(r)})),
        *_around(s),
    ]


def _around(s: ContractServer) -> list[Route]:
    """What is around the jobs: limits, projects, tokens, workers, configurations, connections."""

    def limit(resource: str) -> dict[str, Any]:
        return {"resource": resource, "capacity": s.limits.get(resource), "used": 1, "holders": [1]}

    return [
        ("GET", r"/projects/([^/]+)/limits", lambda _q, _p: (200, {"items": [limit(r) for r in s.limits]})),
        ("PUT", r"/projects/([^/]+)/limits/(.+)", lambda q, _p, r: (200, _set(s, unquote(r), q.json, limit))),
        ("DELETE", r"/projects/([^/]+)/limits/(.+)", lambda _q, _p, r: (204, _gone(s.limits, unquote(r)))),
        ("GET", "/limits", lambda _q: (200, {"items": [limit(r) for r in s.limits]})),
        ("PUT", r"/limits/(.+)", lambda q, r: (200, _set(s, unquote(r), q.json, limit))),
        ("DELETE", r"/limits/(.+)", lambda _q, r: (204, _gone(s.limits, unquote(r)))),
        ("GET", "/pauses", lambda _q: (200, {"items": [_pause(s, p) for p in s.pauses]})),
        ("GET", r"/pauses/(.+)", lambda _q, p: (200, _pause(s, unquote(p)))),
        ("PUT", r"/pauses/(.+)", lambda q, p: (200, _put_pause(s, unquote(p), q.json))),
        ("DELETE", r"/pauses/(.+)", lambda _q, p: (204, _gone(s.pauses, unquote(p)))),
        ("GET", "/projects", lambda _q: (200, {"items": [{"name": "default", "title": "Default", "weight": 1.0}]})),
        ("POST", "/projects", lambda q: (201, q.json)),
        ("GET", r"/projects/([^/]+)", lambda _q, p: (200, {"name": p, "title": "Default", "weight": 2.0})),
        ("PATCH", r"/projects/([^/]+)", lambda q, p: (200, {"name": p, "title": "Default", "weight": 1.0, **q.json})),
        ("GET", "/tokens", lambda _q: (200, {"items": [A_TOKEN], "next": None})),
        ("POST", "/tokens", lambda q: (201, {**A_TOKEN, **q.json, "token": "jd_new_secret"})),
        ("DELETE", r"/tokens/(\d+)", lambda _q, _i: (204, None)),
        ("GET", "/workers", lambda _q: (200, {"items": [A_WORKER]})),
        ("GET", r"/workers/([^/]+)", lambda _q, i: (200, {**A_WORKER, "id": i, "shortage": "no files"})),
        ("POST", r"/workers/([^/]+)/undrain", lambda _q, i: (200, {**A_WORKER, "id": i})),
        ("POST", r"/workers/([^/]+)/drain", lambda _q, i: (202, {"id": i, "name": "vm", "state": "draining"})),
        ("GET", r"/projects/([^/]+)/configurations", lambda _q, _p: (200, {"items": [], "next": None})),
        ("POST", r"/projects/([^/]+)/configurations", lambda q, _p: (201, {"id": 3, **q.json})),
        ("GET", r"/projects/([^/]+)/configurations/3", lambda _q, _p: (200, A_CONFIGURATION)),
        ("PUT", r"/projects/([^/]+)/configurations/3", lambda q, _p: (200, {"id": 3, "version": 3, **q.json})),
        ("DELETE", r"/projects/([^/]+)/configurations/3", lambda _q, _p: (204, None)),
        ("POST", r"/projects/([^/]+)/connections", lambda q, _p: (201, {**q.json, "secrets": {}})),
        ("DELETE", r"/projects/([^/]+)/connections/([^/]+)", lambda _q, _p, _n: (204, None)),
        ("GET", r"/projects/([^/]+)/connections/([^/]+)", lambda _q, _p, n: (200, {**A_CONNECTION, "name": n})),
        ("PATCH", r"/projects/([^/]+)/connections/([^/]+)", lambda _q, _p, n: (200, {**A_CONNECTION, "name": n})),
        ("POST", r"/projects/([^/]+)/connections/([^/]+)/test", lambda _q, _p, n: (200, _look(n))),
        ("GET", r"/projects/([^/]+)/connections", lambda _q, _p: (200, {"items": [{"name": "lake", "kind": "lake"}]})),
    ]


A_CONNECTION = {
    "kind": "files", "options": {"url": "s3://b/p", "options": {"region": "eu"}},
    "secrets": {"options": {"secret_access_key": "********"}},
}  # fmt: skip
A_CONFIGURATION = {"id": 3, "name": "nightly", "type": "sleep", "params": {"seconds": 1, "label": "a"}, "version": 2}


def _look(name: str) -> dict[str, Any]:
    if name == "good":
        return {"ok": True, "text": "s3://b/p answers.", "seconds": 0.4}
    return {"ok": False, "text": "It refused the keys (403).", "hint": "Look at the keys.", "seconds": 0.4}


def _gone(things: dict[Any, Any], key: Any) -> Any:
    del things[key]
    return None


def _pause(s: ContractServer, scope: str) -> dict[str, Any]:
    if scope not in s.pauses:
        raise Refusal(404, "not_found", f"'{scope}' is not paused.", field="scope")
    return {"scope": scope, "by": "admin", "reason": s.pauses[scope], "at": AT}


def _put_pause(s: ContractServer, scope: str, body: dict[str, Any]) -> dict[str, Any]:
    s.pauses[scope] = body.get("reason")
    return _pause(s, scope)


def _set(s: ContractServer, resource: str, body: dict[str, Any], limit: Callable[[str], Any]) -> Any:
    s.limits[resource] = body["capacity"]
    return limit(resource)


SLEEP = {
    "name": "sleep",
    "category": "test",
    "description": "Sleep for a while.",
    "isolation": "process",
    "params_schema": {"type": "object", "properties": {"seconds": {"type": "number", "default": 1.0}}},
}
TABLE = {
    "ref": "lake/in.shop/orders",
    "kind": "table",
    "rows": 1200,
    "bytes": 4096,
    "version": "3",
    "columns": [{"name": "id", "type": "int64", "key": True}, {"name": "name", "type": "string"}],
    "versions": [{"version": "3", "at": AT, "job": 7, "rows": 1200}],
}
ROWS = [{"id": 1, "name": "Ä"}, {"id": 2**60, "name": None}]
A_WORKER = {"id": "w1", "name": "vm", "state": "live", "slots": 4, "running": [1]}
A_TOKEN = {"id": 5, "name": "ci", "role": "operator", "project": None, "created_at": AT}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    owner: ContractServer
    table: list[Route]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_request()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def handle_request(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            raise AssertionError("an upload must say its length")
        path = parts.path.removeprefix("/api/v1")
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, path, parse_qs(parts.query), headers, body)
        self.owner.note(seen)
        fault = self._fault(seen)
        if fault is not None and fault.kind == "drop":
            self.close_connection = True
            return
        if fault is not None and fault.kind.isdigit():
            self._send(int(fault.kind), b"<html>busy</html>", "text/html", fault.headers)
            return
        if path == "/events" and self.owner.streams:
            self._stream(seen)
            return
        status, answer = self._answer(seen)
        if fault is not None and fault.kind == "drop_after":
            self.close_connection = True
            return
        kind = "application/problem+json" if status >= 400 else "application/json"
        content = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        self._send(status, content, "application/octet-stream" if isinstance(answer, bytes) else kind)

    def _fault(self, seen: Seen) -> Fault | None:
        for fault in self.owner.faults:
            if fault.method == seen.method and re.fullmatch(fault.path, seen.path):
                self.owner.faults.remove(fault)
                return fault
        return None

    def _answer(self, seen: Seen) -> tuple[int, Any]:
        key = seen.headers.get("idempotency-key")
        if key in self.owner.by_key:
            return self.owner.by_key[key]
        try:
            if seen.headers.get("authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "unauthenticated", "A token is needed.", hint="Set JOBDECK_TOKEN.")
            answer = self._routed(seen)
        except Refusal as refusal:
            return refusal.status, refusal.body
        if key is not None:
            self.owner.by_key[key] = answer
        return answer

    def _routed(self, seen: Seen) -> tuple[int, Any]:
        for method, pattern, function in self.table:
            match = re.fullmatch(pattern, seen.path)
            if method == seen.method and match:
                return function(seen, *match.groups())
        raise Refusal(404, "not_found", f"There is no {seen.path}.")

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, seen: Seen) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        owner, sent = self.owner, 0
        resumed = seen.headers.get("last-event-id")
        last = int(resumed) if resumed is not None else len(owner.events)
        try:
            while not owner.stopping:
                with owner.changed:
                    owner.wait_for_event(last)
                    fresh = owner.events[last:]
                for event in fresh:
                    if owner.drop_stream_after is not None and sent >= owner.drop_stream_after:
                        owner.drop_stream_after = None
                        self.wfile.write(b'id: 99\ndata: {"half an ev')
                        return
                    text = json.dumps(event, ensure_ascii=False)
                    self.wfile.write(f"id: {event['id']}\r\nevent: {event['kind']}\r\ndata: {text}\r\n\r\n".encode())
                    last, sent = event["id"], sent + 1
                self.wfile.write(b": beat\n\n")
                self.wfile.flush()
        except OSError:
            pass  # the client has gone


@contextmanager
def running() -> Iterator[ContractServer]:
    """A server on a free port of this machine, until the block ends."""
    owner = ContractServer()
    handler = type("Bound", (Handler,), {"owner": owner, "table": routes(owner)})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    owner.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield owner
    finally:
        owner.stopping = True
        with owner.changed:
            owner.changed.notify_all()
        http.shutdown()
        http.server_close()
        thread.join()
