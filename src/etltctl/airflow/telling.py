"""What Airflow is told of a failure, beside the traceback."""

from __future__ import annotations

import logging
from typing import Any

LOG = logging.getLogger("airflow.task")


def tell_failure(context: Any) -> None:
    """A failure callback: the run's summary in the task's log; what happened, to which run, and what to do next."""
    from etltctl.pipeline import describe_failure

    dag_run = context["dag_run"]
    error = context.get("exception") or "the task was ended from outside"
    LOG.error("%s", describe_failure(error, f"{dag_run.dag_id}-{dag_run.run_id}"))
