"""What the server of the contract allows, and how it refuses."""

from __future__ import annotations

from typing import Any

ALLOWED = {
    "pending": ["cancel", "pause"],
    "running": ["cancel", "pause", "restart"],
    "paused": ["cancel", "restart", "resume"],
    "failed": ["cancel", "delete", "restart", "resume"],
    "succeeded": ["delete"],
    "canceled": ["delete"],
}
EFFECT = {"cancel": "canceled", "pause": "paused", "resume": "pending", "restart": "pending"}


class Refusal(Exception):
    """The answer is a problem document."""

    def __init__(self, status: int, code: str, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, **facts}
