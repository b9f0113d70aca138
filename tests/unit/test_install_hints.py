"""Install hints that fit how etltctl itself was installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from etltctl.errors import install

WHEEL = "file:///tmp/etltctl-0.1.0-py3-none-any.whl"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate distribution `etltctl` that hides the real one."""
    folder = tmp_path / "etltctl-9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: etltctl\nVersion: 9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.metadata.version("etltctl") == "9"
    return folder


@pytest.mark.parametrize(
    ("prefix", "starts"),
    [
        ("/home/me/.local/share/uv/tools/etltctl", "uv tool install --force "),
        ("/home/me/.local/share/pipx/venvs/etltctl", "pipx install --force "),
        ("/opt/venv", f"{sys.executable} -m pip install "),
    ],
)
@pytest.mark.parametrize(
    ("origin", "requirement"), [({}, "'etltctl[local]'"), ({"url": WHEEL}, f"'etltctl[local] @ {WHEEL}'")]
)
def test_the_command_fits_the_installation(
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    starts: str,
    origin: dict[str, str],
    requirement: str,
) -> None:
    (installed / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert install("local") == f"{starts}{requirement}"


def test_an_environment_without_pip_is_uv_s(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (installed / "direct_url.json").write_text("{}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert install("tableau") == f"uv pip install --python {sys.executable} 'etltctl[tableau]'"


@pytest.mark.parametrize(("on_path", "uv"), [(True, "uv"), (False, ".uv/bin/uv")])
def test_a_checkout_is_named_and_the_uv_that_it_brought_along(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: bool, uv: str
) -> None:
    if on_path:
        (tmp_path / "uv").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (installed / "direct_url.json").write_text(
        json.dumps({"url": "file:///x", "dir_info": {"editable": True}})
    )
    command = f"{uv} pip install --python {sys.executable} -e '.[local]'"
    assert install("local") == f"in the checkout of etltctl: {command}"
