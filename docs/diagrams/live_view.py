"""The live view of a real run as a picture of a terminal, drawn by the code that draws it for a user.

The events are the ledgers of two runs in a row on the embedded endpoints. The first gives the durations that the second
expects. The picture shows the second while its second Glue job runs.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI

from etltctl.cli.live_view import RunView
from etltctl.cli.run_state import RunState

RECORDED = Path(__file__).parent
SHOWN_JOB, SECONDS_IN = "glue:silver_to_gold", 12.0
# Rich's own frame loads a font from the network, which a picture of the documentation must not do.
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{ font-family: 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: {char_height}px; \
line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def live_view(columns: int) -> str:
    """Return the picture as SVG.

    Args:
        columns: The width of the terminal.
    """
    now = [0.0]
    state = RunState("mongodb", _durations(_events("first_run.ndjson")), clock=lambda: now[0])
    moment = 0.0
    for event in _events("second_run.ndjson"):
        now[0] = datetime.fromisoformat(event["ts"]).timestamp()
        if moment and now[0] > moment:
            break
        state.apply(event)
        if (event["type"], event["step"]) == ("step.planned", SHOWN_JOB):
            moment = now[0] + SECONDS_IN
    now[0] = moment
    terminal = Console(
        record=True,
        width=columns,
        force_terminal=True,
        color_system="truecolor",
        file=io.StringIO(),
        _environ={},
    )
    view = RunView(state, terminal, is_refreshed=False)
    view.follow()
    terminal.print("$ etltctl run mongodb", highlight=False)
    terminal.print(f"run {state.run_id}", highlight=False)
    terminal.print(view.progress.get_renderable())
    title = f"The live view of a run in a terminal of {columns} columns"
    frame = FRAME.replace("TITLE", escape(title))
    return terminal.export_svg(title="etltctl", theme=MONOKAI, code_format=frame, unique_id=f"live{columns}")


def _events(name: str) -> list[Mapping[str, Any]]:
    lines = (RECORDED / name).read_text("utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["type"] != "version"]


def _durations(events: list[Mapping[str, Any]]) -> dict[str, list[float]]:
    return {event["step"]: [event["seconds"]] for event in events if event["type"] == "step.finished"}
