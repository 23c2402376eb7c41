"""The colours of states, the same on every list and bar."""

from __future__ import annotations

STATES = {
    "running": "cyan",
    "pausing": "yellow",
    "paused": "yellow",
    "canceling": "yellow",
    "draining": "yellow",
    "stopped": "yellow",
    "succeeded": "green",
    "done": "green",
    "live": "green",
    "finished": "green",
    "ok": "green",
    "failed": "red",
    "lost": "red",
    "gone": "red",
    "canceled": "bright_black",
    "skipped": "bright_black",
    "pending": "blue",
    "waiting": "blue",
}
ERROR = "red"
HEAD = "bold"
QUIET = "bright_black"


def of_state(state: object) -> str:
    """The style of a state's word; empty for one that has none."""
    return STATES.get(str(state), "")
