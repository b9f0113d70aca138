"""An installed Airflow without its services: its programs, and the events that its runs leave."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
SIDE_BY_SIDE = {"query.started", "cost.actual"}
PASSING = {"step.progress", "cost.estimate"}  # the number of polls, and whether the price was known


@dataclass(frozen=True)
class Installed:
    """An environment with Airflow, whose home is the test's folder."""

    programs: Path
    home: Path
    dags: Path = PROJECT / "dags"

    def run(self, program: str, *arguments: str, code: int = 0, **environ: str) -> str:
        """Return what the program printed, on both channels, after a check of its exit code."""
        mine = ("AIRFLOW", "AWS_", "ETLTCTL", "AIRBYTE_", "MONGODB_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        done = subprocess.run(
            [self.programs / program, *arguments],
            env={
                **kept, "AIRFLOW_HOME": str(self.home), "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONWARNINGS": "ignore", **environ,
            },
            cwd=self.home, check=False, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout


def recorded_steps(file: Path) -> list[tuple[Any, ...]]:
    """Return event, step, outcome and verb of the run's recorded events; parallel queries have no order."""
    events = [json.loads(line) for line in file.read_text().splitlines()]
    lasting = [event for event in events if event["type"] not in {*PASSING, "version"}]
    rows = [(event["type"], event["step"], event.get("outcome"), event.get("verb")) for event in lasting]
    runs = groupby(rows, key=lambda row: (row[0] in SIDE_BY_SIDE, row[1]))
    return [row for (is_any, _), run in runs for row in (sorted(run, key=str) if is_any else run)]
