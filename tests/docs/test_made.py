"""What is made of the code is as the code is."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobdeck.client import finding
from jobdeck.client.admin.limits import LimitsResource
from jobdeck.client.admin.pauses import PausesResource
from jobdeck.core.modules import FoundTwice
from tests.docs.write import API, CLI, MADE, filled


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_is_made_is_not_stale(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == MADE[path](), "it is stale: `make tables` writes it anew"


def test_a_line_changed_by_hand_is_seen() -> None:
    for path, said in ((API, "| `GET /api/v1/pauses` |"), (CLI, "| `jobdeck pauses list` |")):
        text = path.read_text(encoding="utf-8")
        assert said in text
        assert filled(text.replace(said, "| gone |")) == text


def test_two_parts_of_a_client_cannot_share_a_name() -> None:
    with pytest.raises(FoundTwice, match=r"client\.limits is in .*limits\.LimitsResource and in .*pauses\.Pauses"):
        finding.add({"limits": LimitsResource}, "limits", PausesResource)
