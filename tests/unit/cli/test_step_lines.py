"""The lines of the steps that have ended: their columns stand below each other, however long the names are."""

from __future__ import annotations

import io
import re

import pytest

from etltctl.cli.progress import RunProgress
from etltctl.cli.run_state import RunState
from etltctl.console import Console


@pytest.mark.parametrize(
    ("pipeline", "job"),
    [("api", "clean"), ("a_pipeline_of_many_letters", "bronze_to_silver_of_all_the_harbours_and_ships")],
)
def test_the_columns_of_all_steps_are_aligned(pipeline: str, job: str) -> None:
    console = Console(stderr=io.StringIO())
    progress = RunProgress(console, RunState(pipeline))
    steps = [f"sync:{pipeline}", f"glue:{job}", "athena:refresh"]
    common = {"run_id": "r", "env": "local", "outcome": "succeeded", "seconds": 1.0}
    progress.draw({**common, "type": "run.started", "step": "", "steps": steps})
    for step, verb in zip(steps, ("started", "adopted", "reused"), strict=True):
        progress.draw({**common, "type": "step.finished", "step": step, "verb": verb, "rows": 5})
    lines = console.stderr.getvalue().splitlines()[-3:]  # type: ignore[attr-defined]
    places = [re.search(r"started|adopted|reused", line) for line in lines]
    assert len({place.start() for place in places if place}) == 1
    assert lines[1].split()[0] == job
