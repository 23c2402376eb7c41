"""Building: a wheel ships the scripts and styles, the same inputs are built once, and what is missing is said."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.tree import ROOT

STATIC = ROOT / "src" / "jobdeck" / "web" / "static"


@pytest.fixture
def build() -> ModuleType:
    """hatch_build.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_wheel_ships_what_pages_need(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    manifest = json.loads((STATIC / "manifest.json").read_text())
    for name in manifest["entries"].values():
        assert f"jobdeck/web/static/{name}" in names
        assert f"jobdeck/web/static/{name}.gz" in names
    assert "jobdeck/web/templates/base.html" in names
    assert "jobdeck/web/pages/jobs/page.html" in names
    assert not [name for name in names if "node_modules" in name]


def test_what_was_built_is_kept(build: ModuleType) -> None:
    build.build_assets()
    before = (STATIC / "manifest.json").stat().st_mtime_ns
    assert build.build_assets() is False
    assert (STATIC / "manifest.json").stat().st_mtime_ns == before


def test_a_registry_out_of_reach_is_told_with_the_next_step(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "PACKAGES", [tmp_path / "package.json", tmp_path / "package-lock.json"])
    monkeypatch.setattr(build, "MODULES_STAMP", tmp_path / "node_modules" / ".jobdeck-lock")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(build.CannotBuildAssets, match=r"npm config set registry"):
        build.install_packages()


def test_the_lock_file_names_no_host() -> None:
    assert "resolved" not in (ROOT / "package-lock.json").read_text()
