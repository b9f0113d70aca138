"""Earlier runs, read back from the ledger: one run, all runs in a line each, their durations and their cost."""

from etltctl.history.costs import Cost, costs
from etltctl.history.durations import step_seconds
from etltctl.history.lookup import (
    Having,
    events_so_far,
    find_run,
    live_runs,
    run_to_resume,
    run_to_retry,
    summaries,
)
from etltctl.history.run_list import RunFilter, RunList, RunSummary, summary_of

__all__ = [
    "Cost",
    "Having",
    "RunFilter",
    "RunList",
    "RunSummary",
    "costs",
    "events_so_far",
    "find_run",
    "live_runs",
    "run_to_resume",
    "run_to_retry",
    "step_seconds",
    "summaries",
    "summary_of",
]
