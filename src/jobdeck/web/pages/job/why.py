"""Why a job stands as it does, in one sentence with links, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from jobdeck.core.amounts import duration, number
from jobdeck.core.life.operations import BECAUSE
from jobdeck.core.life.states import State
from jobdeck.core.tasks import UNDO
from jobdeck.core.values import clip
from jobdeck.services.jobs.details import JobExtras
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Job, WaitReason

Tone = Literal["info", "warning", "error"]

_NAMED = re.compile(r"\bjobs? [0-9][0-9, ]*(?:and [0-9]+(?! more))?")
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of a sentence: plain, or the name of a job, or a time."""

    text: str
    job: int | None = None
    """Its id, where the words are its name."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReasonLink:
    """A way on: a path of a page and its query."""

    text: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class HeadReason:
    """What the head of the page says below the job's name; `more` are further reasons, less fundamental."""

    tone: Tone
    symbol: str
    """Its name in the sprite."""
    title: str
    pieces: Sequence[Piece] = ()
    hint: str | None = None
    links: Sequence[ReasonLink] = ()
    more: Sequence[Sequence[Piece]] = ()
    lift: str | None = None
    """A paused scope that whoever looks may let go on."""

    @property
    def is_long(self) -> bool:
        """Whether it would push away what stands below it."""
        return is_long("".join(piece.text for piece in self.pieces))

    @property
    def beginning(self) -> str:
        """Of a long one: what is shown at first."""
        return clip("\n".join("".join(piece.text for piece in self.pieces).strip().split("\n")[:FEW_LINES]), SHOWN)


SHOWN = 300
"""Characters of a long text that are shown at first."""
FEW_LINES = 4


def is_long(text: str) -> bool:
    """Whether a text is shown in part only until one asks for it."""
    return len(text) > 2 * SHOWN or text.count("\n") > 2 * FEW_LINES


ASKED = ("pausing", "paused", "canceling", "canceled", "restarted")
"""Kinds of events whose actor is the one who paused or ended a job."""


_FIRST_ASKED = {"paused": "pausing", "canceled": "canceling"}
"""What somebody asked for before a worker, which has no name, carried it out."""


def who_asked(latest: Sequence[Event]) -> Event | None:
    """Of events of the kinds `ASKED`, newest first: the one that tells by whom and when the latest was asked for."""
    if len(latest) > 1 and latest[0].actor is None and latest[1].kind == _FIRST_ASKED.get(latest[0].kind):
        return latest[1]
    return latest[0] if latest else None


@dataclass(frozen=True, slots=True)
class KnownOfJob:
    """What is to be known of a job beside itself: the latest event of one of the kinds `ASKED`, how its children are,
    by state, which paused scopes whoever looks may let go on, its first warnings, and whether files may be replaced."""

    sides: JobExtras
    asked: Event | None
    children: Mapping[str, int]
    may_lift: Callable[[str], bool]
    warned: Sequence[str] = ()
    may_replace: bool = False


def whys(job: Job, known: KnownOfJob) -> list[HeadReason]:
    """What is to be told of the job."""
    found = (_state(job, known), _stall(job, known.sides), _warnings(job, known.warned))
    return [why for why in found if why is not None]


def _state(job: Job, known: KnownOfJob) -> HeadReason | None:
    sides, asked = known.sides, known.asked
    match job.state:
        case State.PENDING:
            return _pending(job, known.may_lift)
        case State.FAILED:
            return _failed(job, known)
        case State.PAUSED | State.PAUSING:
            return _paused(job, sides, asked)
        case State.CANCELING | State.CANCELED:
            return _canceled(job, sides, asked)
        case _:
            return None


def _pending(job: Job, may_lift: Callable[[str], bool]) -> HeadReason | None:
    if not job.wait:
        return None
    first, *others = job.wait
    lift = first.resource if first.reason == "paused_scope" and may_lift(first.resource or "") else None
    hint = _WAIT_HINTS.get(first.reason)
    if first.reason == "paused_scope" and lift is None:
        hint = "It starts once an administrator lets that go on."
    title = "It waits for its next try" if job.error is not None and first.reason == "not_before" else "Why it waits"
    told = job.error is None or (job.retry is not None and first.reason == "not_before")
    retried = () if told or job.error is None else (Piece(f" Last time: {job.error.message}"),)
    return HeadReason(
        "info", "clock", title, (*pieces_of(first), *retried), hint, _wait_links(job, first),
        [pieces_of(reason) for reason in others], lift,
    )  # fmt: skip


_WAIT_HINTS = {
    "not_before": "It starts by itself then.",
    "paused_scope": "Let it go on as soon as nothing speaks against it; all jobs that it holds back start again.",
    "claim": "It starts by itself as soon as that is free. A higher priority takes it past others that wait.",
    "dependency": "It goes on by itself when they have ended.",
    "no_worker": "Start a worker that has this type installed: jobdeck worker.",
    "turn": "It starts as soon as a worker is free. A higher priority takes it past others that wait.",
}


def _wait_links(job: Job, reason: WaitReason) -> list[ReasonLink]:
    """To the jobs that have what it needs; those of one object are in the sentence already."""
    resource = reason.resource or ""
    if reason.reason == "claim" and resource.startswith("type:"):
        return [
            ReasonLink(
                "Running jobs of this type", "/jobs", {"state": "running", "type": resource.removeprefix("type:")}
            )
        ]
    if reason.reason == "claim" and (resource.startswith("project:") or resource == "instance"):
        return [ReasonLink("Running jobs", "/jobs", {"state": "running"})]
    if reason.reason == "turn":
        return [ReasonLink("Jobs that run now", "/jobs", {"state": "running"})]
    if reason.reason == "dependency":
        return [ReasonLink("Its children", f"/jobs/{job.id}/family")]
    return []


def pieces_of(reason: WaitReason) -> list[Piece]:
    """A wait reason's sentence, with the jobs that it names as links, its time as a time, and its place in the line."""
    if reason.until is not None:
        return [Piece(_before(reason.text)), Piece("", at=reason.until), Piece(".")]
    place = "" if reason.number is None or reason.reason != "claim" else f" It is {in_line(reason.number)}."
    return [*linked(reason.text, reason.holders), Piece(place)]


def _before(text: str) -> str:
    """What stands before the time of a reason: between two tries, what failed and which try comes."""
    return text.removesuffix("then.") if text.endswith(" then.") else "It was asked to start later: "


def in_line(place: int) -> str:
    """`next in line`, `number 3 in line`."""
    return "next in line" if place == 1 else f"number {number(place)} in line"


def linked(text: str, jobs: Sequence[int]) -> Iterator[Piece]:
    """`text` in pieces: numbers that are the ids of `jobs`, where the text calls them jobs, are links."""
    end = 0
    for phrase in _NAMED.finditer(text):
        for found in _NUMBER.finditer(text, phrase.start(), phrase.end()):
            if int(found[0]) in jobs:
                yield Piece(text[end : found.start()])
                yield Piece(found[0], job=int(found[0]))
                end = found.end()
    yield Piece(text[end:])


def _failed(job: Job, known: KnownOfJob) -> HeadReason | None:
    error = job.error
    if error is None:
        return HeadReason("error", "failed", "It failed", (Piece("Nothing is known about why."),))
    pieces: Sequence[Piece] = (Piece(error.message),)
    links = [
        ReasonLink("Log", f"/jobs/{job.id}/logs"),
        ReasonLink("Failed tasks", f"/jobs/{job.id}/steps", {"tasks": "failed"}),
    ]
    if error.code == CHILD_FAILED:
        pieces = tuple(_children_named(error.message))
        links = [ReasonLink(text, f"/jobs/{job.id}/family", {"state": state}) for state, text in _below(known.children)]
    if error.fingerprint:
        links.append(ReasonLink("Failures of this kind", f"/failures/{error.fingerprint}"))
        links.append(ReasonLink("Jobs that failed this way", "/jobs", {"error": error.fingerprint, "state": "failed"}))
    return HeadReason("error", "failed", "Why it failed", pieces, error.hint, [*_ways_here(job, known), *links])


def _ways_here(job: Job, known: KnownOfJob) -> Iterator[ReasonLink]:
    """The places of this page that do what the hint gives as commands."""
    hint = job.error.hint or "" if job.error is not None else ""
    if "`jobdeck files replace " in hint and known.may_replace:
        yield ReasonLink("Replace a file", f"/jobs/{job.id}", anchor="replace")
    if "`jobdeck job run-again " in hint:
        yield ReasonLink("Run again with changes", f"/run/{job.type}", {"from": str(job.id)})


CHILD_FAILED = "child_failed"
"""The code of the error of a job whose children did not succeed; its message ends with their ids."""


def _children_named(message: str) -> Iterator[Piece]:
    text, colon, ids = message.rpartition(":")
    yield Piece(f"{text}{colon}")
    end = 0
    for found in _NUMBER.finditer(ids):
        yield Piece(ids[end : found.start()])
        yield Piece(found[0], job=int(found[0]))
        end = found.end()
    yield Piece(ids[end:])


def _below(children: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for state, one, many in ((State.FAILED, "failed", "failed"), (State.CANCELED, "was canceled", "were canceled")):
        count = children.get(state, 0)
        if count:
            yield state, f"1 child that {one}" if count == 1 else f"{number(count)} children that {many}"


def _paused(job: Job, sides: JobExtras, asked: Event | None) -> HeadReason:
    if job.state is State.PAUSING:
        return HeadReason(
            "warning", "pausing", "It is being paused", _by("Asked", asked, job),
            "It stops at its next checkpoint, keeps what it has done, and gives back what it holds.",
        )  # fmt: skip
    until = (Piece(" It resumes by itself "), Piece("", at=sides.resume_at), Piece(".")) if sides.resume_at else ()
    hint = None if sides.resume_at else "Resume it: it goes on from where it stopped."
    return HeadReason("warning", "paused", "It is paused", (*_by("", asked, job), *until), hint)


def _canceled(job: Job, sides: JobExtras, asked: Event | None) -> HeadReason:
    if job.state is State.CANCELING:
        title = "It is being stopped to start again" if sides.restarting else "It is being canceled"
        hint = "Its work is told to stop, and what it half made is removed. Work that does not stop is killed."
        return HeadReason("warning", "canceling", title, _by("Asked", asked, job), hint)
    if job.leftovers:
        log = ReasonLink("Log of the removal", f"/jobs/{job.id}/logs", {"step": UNDO})
        links = [log, ReasonLink("Events", f"/jobs/{job.id}/events")]
        return HeadReason(
            "warning", "warning", "It was canceled, and something is left",
            (*_by("Canceled", asked, job), Piece(f" {job.leftovers}")),
            "Remove it by hand: Jobdeck does not try again.", links,
        )  # fmt: skip
    return HeadReason(
        "info", "canceled", "It was canceled", _by("", asked, job),
        "A canceled job cannot go on. Run it again as a new job.",
    )  # fmt: skip


def _by(verb: str, asked: Event | None, job: Job) -> tuple[Piece, ...]:
    """`Asked by ada 3 min ago: for the backup.`; without a verb it goes on from the title."""
    who = f"by {asked.actor}" if asked is not None and asked.actor else ""
    because = BECAUSE[job.cause] if job.cause and job.cause in BECAUSE else ""
    words = " ".join(word for word in (verb, who, because) if word)
    when = (Piece(" " if words else ""), Piece("", at=asked.at)) if asked is not None else ()
    reason = f": {job.reason.rstrip('.')}." if job.reason else "."
    return (Piece(words), *when, Piece(reason))


def _stall(job: Job, sides: JobExtras) -> HeadReason | None:
    if not sides.stalled or job.state is not State.RUNNING:
        return None
    text = f"Its worker is alive, but there has been no progress for {duration(sides.quiet_seconds)}."
    hint = "Look at the last lines of its log. Pausing and resuming it goes on from its last checkpoint."
    links = [
        ReasonLink("Log", f"/jobs/{job.id}/logs"),
        ReasonLink("Running tasks", f"/jobs/{job.id}/steps", {"tasks": "running"}),
    ]
    return HeadReason("warning", "clock", "It stalls", (Piece(text),), hint, links)


WARNINGS_SHOWN = 3
"""Warnings that stand in the head of a job that has ended; its log has all."""


def _warnings(job: Job, warned: Sequence[str]) -> HeadReason | None:
    if not job.warnings or (job.leftovers and job.warnings == 1):
        return None
    text = f"{number(job.warnings)} {'warning' if job.warnings == 1 else 'warnings'} so far."
    if job.state is State.SUCCEEDED:
        text = f"It finished with {number(job.warnings)} {'warning' if job.warnings == 1 else 'warnings'}."
    links = [
        ReasonLink("Warnings in the log", f"/jobs/{job.id}/logs", {"level": "warning"}),
        ReasonLink("Events", f"/jobs/{job.id}/events"),
    ]
    if job.params.get("on_bad_row") == "reject":
        links.insert(0, ReasonLink("Rejected rows", f"/jobs/{job.id}", anchor="rejects"))
    told = [(Piece(clip(line, SHOWN)),) for line in warned]
    return HeadReason("warning", "warning", "It has warnings", (Piece(text),), None, links, told)
