"""The report in a real browser: it loads nothing, complains of nothing, passes axe-core and is used by keyboard."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from etltctl.explanation import explain
from etltctl.settings import load_settings
from support.browser.engine import executable
from support.reported import HOSTILE, event, every_kind, report_page, succeeded

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PYTHON = Path(__file__).parents[3] / ".browser" / "bin" / "python"
VERSION = {"type": "version", "schema": "etltctl.events/1.0"}
EXAMINE = Path(__file__).parents[2] / "support" / "browser" / "examine.py"
SCREENS = ("light", "dark", "tablet", "narrow", "print")


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the browser reports of a page with a plot of each kind, hostile names, an error and warnings."""
    if not PYTHON.is_file():
        pytest.skip("the browser is not here: `make browser-test` brings it")
    if not executable():
        pytest.skip("no Chromium: neither npm, which brings one, nor a Chromium is on the path")
    folder = tmp_path_factory.mktemp("page")
    settings = load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(folder)})
    failed = event(36, "step.finished", "athena:refresh", outcome="failed", error=f"{HOSTILE}\nline two")
    warned = event(37, "warning.degraded", message=HOSTILE)
    ended = event(38, "run.finished", outcome="failed", seconds=38.0)
    events = [*succeeded()[:-1], failed, warned, ended]
    kept = folder / "runs" / "run-1.ndjson"
    kept.parent.mkdir()
    kept.write_text("".join(json.dumps(one) + "\n" for one in [VERSION, *events]))
    explanation = explain(settings, "run-1")
    page = folder / "page.html"
    page.write_text(report_page(events, settings, every_kind(), explanation=explanation), "utf-8")
    done = subprocess.run(
        [PYTHON, EXAMINE, page], capture_output=True, text=True, timeout=240, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    screens: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return screens


@pytest.mark.parametrize("screen", SCREENS)
def test_the_page_loads_nothing_and_the_console_is_empty(screens: dict[str, Any], screen: str) -> None:
    assert screens[screen]["requests"] == []
    assert screens[screen]["console"] == []


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_core_finds_nothing(screens: dict[str, Any], screen: str) -> None:
    assert screens[screen]["heading_width"] > 100, "without a font no text has a contrast"
    assert screens[screen]["violations"] == []


@pytest.mark.parametrize("screen", SCREENS)
def test_every_plot_is_a_picture_and_nothing_is_wider_than_the_screen(
    screens: dict[str, Any], screen: str
) -> None:
    assert screens[screen]["pictures"] == 7
    assert screens[screen]["too_wide"] == 0


def test_the_keyboard_reaches_the_sections_in_order_and_opens_the_numbers(screens: dict[str, Any]) -> None:
    focused = screens["light"]["focused"]
    assert focused[:4] == ["Skip to the report", "Why it failed at athena:refresh", "Timeline", "Plots"]
    assert screens["light"]["opened"]


def test_the_page_follows_the_theme_of_its_reader(screens: dict[str, Any]) -> None:
    assert screens["light"]["paper"] == "rgb(255, 255, 255)"
    assert screens["dark"]["paper"] != screens["light"]["paper"]


def test_the_browser_comes_from_the_project_s_own_files_where_npm_is() -> None:
    if not PYTHON.is_file():
        pytest.skip("the browser is not here: `make browser-test` brings it")
    if not shutil.which("npm"):
        pytest.skip("npm, which brings the project's own browser, is not on the path")
    assert (PYTHON.parents[1] / "chromium" / "chromium").is_file()
