"""What `etltctl runs list` takes in a ledger of 10,000 runs: the newest twenty, all of them, and the failed ones.

Processor seconds of the library's call, without the start of Python, the best of three. The ratio compares all 10,000
from the kept summaries with reading every stream. The ledger is made for this run. `python benchmarks/runs_list.py`.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from etltctl.history import RunFilter, summaries
from etltctl.ledger import VERSION_LINE
from etltctl.settings import Settings, load_settings

RUNS = 10_000
GOAL_S = 0.5
ROUNDS = 3
STEPS = ("sync:mongodb", "glue:bronze_to_silver", "glue:silver_to_gold", "athena:refresh")


def write_ledger(folder: Path) -> None:
    """Write streams as pipelines of four steps leave them: one in ten failed, the newest is without its end."""
    folder.mkdir(parents=True)
    began = datetime.now(UTC) - timedelta(minutes=RUNS * 10)
    for number in range(RUNS):
        at = began + timedelta(minutes=number * 10)
        run_id = f"{at:%Y%m%d-%H%M}-mongodb-{number:04x}"
        outcome = "failed" if number % 10 == 0 else "succeeded"
        types = [("run.started", "", {"pipeline": "mongodb", "steps": STEPS})]
        for step in STEPS:
            types += [
                ("step.planned", step, {}),
                (
                    "remote.started",
                    step,
                    {"remote_id": f"jr_{number}", "state": "RUNNING", "service": "Glue"},
                ),
                ("step.progress", step, {"remote_id": f"jr_{number}", "state": "SUCCEEDED"}),
                ("step.finished", step, {"outcome": outcome, "seconds": 12.5}),
            ]
        types += [("run.finished", "", {"outcome": outcome, "seconds": 50.0})] if number < RUNS - 1 else []
        lines = [
            json.dumps(
                {
                    "ts": at.isoformat(),
                    "seq": seq,
                    "run_id": run_id,
                    "step": step,
                    "env": "local",
                    "type": kind,
                    **facts,
                }
            )
            for seq, (kind, step, facts) in enumerate(types, start=1)
        ]
        (folder / f"{run_id}.ndjson").write_text(VERSION_LINE + "\n".join(lines) + "\n")


def seconds(settings: Settings, limit: int, run_filter: RunFilter) -> float:
    """Return the processor seconds of one listing."""
    before = time.process_time()
    list(summaries(settings, limit, run_filter))
    return time.process_time() - before


def main() -> None:
    """Measure and print; exit with 1 if a listing misses the goal."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(env="local", environ={"ETLTCTL_STATE_DIR": folder})
        write_ledger(Path(folder, "runs"))
        first = seconds(settings, RUNS, RunFilter())
        figures = {
            "the newest 20": (20, RunFilter()),
            f"all {RUNS:,}": (RUNS, RunFilter()),
            "every failed one": (RUNS, RunFilter(outcomes=("failed",))),
            "those of two days": (RUNS, RunFilter(since="2d")),
        }
        best = {
            name: min(seconds(settings, limit, run_filter) for _ in range(ROUNDS))
            for name, (limit, run_filter) in figures.items()
        }
    print(f"every stream read, once     {first:.3f} s")
    for name, figure in best.items():
        print(f"{name:<27} {figure:.3f} s  goal {GOAL_S} s")
    print(f"ratio                       {first / best[f'all {RUNS:,}']:.0f} times faster from the summaries")
    if max(best.values()) > GOAL_S:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
