"""Earlier runs, read back from the ledger: one run, all runs in a line each, their durations and their cost."""

from etltctl.history.costs import ESTIMATED, Cost, costs, costs_of
from etltctl.history.durations import step_seconds
from etltctl.history.lookup import (
    Having,
    events_so_far,
    find_run,
    live_runs,
    live_text,
    run_to_resume,
    store_of,
    summaries,
)
from etltctl.history.retry_choice import RetryChoice, run_to_retry
from etltctl.history.run_list import RunFilter, RunList, RunSummary, summary_of

__all__ = [
    "ESTIMATED",
    "Cost",
    "Having",
    "RetryChoice",
    "RunFilter",
    "RunList",
    "RunSummary",
    "costs",
    "costs_of",
    "events_so_far",
    "find_run",
    "live_runs",
    "live_text",
    "run_to_resume",
    "run_to_retry",
    "step_seconds",
    "store_of",
    "summaries",
    "summary_of",
]
