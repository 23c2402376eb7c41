"""Job types of other people, each wrong in its own way."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.claims import Claim
from jobdeck.core.environment import Environment
from jobdeck.core.jobtype import StepSpec, step
from jobdeck.core.tasks import Run


class Where(BaseModel):
    """Where it goes wrong."""

    place: str = ""


class Strange(JobType):
    """Fails in the place that its parameters name."""

    isolation = "thread"
    Params = Where

    def _at(self, place: str) -> bool:
        return bool(self.params.place == place)

    def check(self, environment: Environment) -> None:
        if self._at("check"):
            raise KeyError("checked\0")

    def claims(self) -> Any:
        if self._at("claims"):
            raise RuntimeError("claimed")
        if self._at("claims: negative"):
            return [Claim("licence", -5)]
        return ["everything"] if self._at("claims: text") else []

    def subject(self) -> Any:
        return 7 if self._at("subject") else None

    def description(self) -> Any:
        if self._at("description"):
            sys.exit("described")
        return None if self._at("description: none") else "strange"

    def plan(self) -> Any:
        match self.params.place:
            case "plan":
                raise RuntimeError("planned\0\ud800")
            case "plan: exit":
                sys.exit(3)
            case "plan: text":
                return ["first", "second"]
            case "plan: no method":
                return [StepSpec("gone", "gone")]
            case "plan: unknown step":
                return [StepSpec("work", "work", each="nothing")]
            case "parts":
                return [StepSpec("work", "work", each=lambda _: [1 // 0])]
            case "parts: many":
                return [StepSpec("work", "work", each=lambda _: range(10_001))]
            case "parts: strange":
                return [StepSpec("work", "work", each=lambda _: [object()])]
            case "parts: surrogate":
                return [StepSpec("work", "work", each=lambda _: ["\ud800"])]
        return [StepSpec("work", "work", each=lambda _: [{"key": "a\0" * 200}])]

    @step
    def work(self, run: Run, part: Any) -> Any:
        match self.params.place:
            case "work: exit":
                sys.exit(4)
            case "work: text":
                raise ValueError("a\0b \ud800")
            case "work: result":
                return "\ud800"
            case "work: large":
                return "x" * 2_000_000
        return None


class Large(JobType):
    """Its tasks' results are too large together to be one result."""

    isolation = "thread"

    @step(each=lambda _: range(3))
    def work(self, run: Run, part: int) -> str:
        return "x" * 500_000
