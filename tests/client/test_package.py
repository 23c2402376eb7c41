from __future__ import annotations

import subprocess
import sys

import pytest

import jobdeck


def test_importing_the_package_loads_nothing() -> None:
    heavy = "{'httpx2', 'pydantic', 'rich'}"
    code = f"import sys, jobdeck; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_public_names() -> None:
    assert jobdeck.Client.__name__ == "Client"
    assert jobdeck.JobType.__name__ == "JobType"
    assert callable(jobdeck.step)
    assert jobdeck.__version__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jobdeck.nothing
