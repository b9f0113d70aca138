"""The installed command on a real terminal: a live view of the run, and plain lines where no view is wanted."""

from __future__ import annotations

import re

import pytest

from support.sample_settings import on_sample
from support.screen import COLOURS, MOVEMENTS, Screen, on_terminal
from support.workplace import ETLTCTL, Workplace

pytestmark = pytest.mark.e2e

SETTINGS = """
[pipelines.small]
steps = ["sync:mongodb", "athena:refresh"]
"""
NOW = {"TERM": "xterm", "NO_COLOR": "", "CI": "", "COLUMNS": ""}


def record(shown: str) -> list[str]:
    """Return the lines that stay on the screen, without heartbeats and what differs from run to run."""
    lines = [line for line in Screen(500).feed(shown).lines if not re.search(r" for \d+:\d\d", line)]
    return [re.sub(r"\d{8}-\S+|\s+[\d.]+ s\b", " …", line) for line in lines]


def test_a_run_is_drawn_live_and_leaves_the_same_record_as_in_a_log(workplace: Workplace) -> None:
    (workplace.folder / "etltctl.toml").write_text(on_sample(SETTINGS))
    workplace.run("local", "up")

    def run(columns: int, **environ: str) -> str:
        variables = {**workplace.full_environ, **NOW, **environ}
        words = [ETLTCTL, "run", "small"]
        code, shown = on_terminal(words, columns, variables, cwd=str(workplace.folder))
        assert code == 0, shown
        return shown

    try:
        live, colourless, in_ci, narrow = run(120), run(120, NO_COLOR="1"), run(120, CI="true"), run(20)
        logged = workplace.run("run", "small")
    finally:
        workplace.run("local", "down")
    for shown in (live, colourless):
        assert MOVEMENTS.search(shown)
        assert {"to come", "small as a whole"} <= set(re.findall("to come|small as a whole", shown))
        # The last step may end before it is drawn.
        assert re.search(r"\b[01] of 2\b", shown)
    assert COLOURS.search(live)
    assert not COLOURS.search(colourless)
    assert re.search(r"0:0\d +~0:0\d left|usual 0:0\d|~\d+:\d\d left", colourless), (
        "learned from the first run"
    )
    for shown in (in_ci, narrow):
        assert "\x1b" not in shown
    plain = record(logged.stderr + logged.stdout)
    assert record(live) == record(colourless) == record(in_ci) == record(narrow) == plain
