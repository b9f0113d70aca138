"""What Airflow calls when a task ends otherwise than well: the stop of its remote work, the report of its failure."""

from __future__ import annotations

import logging
from typing import Any

from etltctl.errors import Command, EtltctlError

LOG = logging.getLogger("airflow.task")


def stop(step: str, run_id: str) -> None:
    """Stop what the step has running, or leave it running, as the setting `airflow.on_kill` says; never raise.

    Args:
        step: The step, `kind:name`.
        run_id: The run's id.
    """
    from etltctl.pipeline import stop_step
    from etltctl.settings import load_settings

    try:
        settings = load_settings()
        detach = settings.airflow.on_kill == "detach"
        run = stop_step(step, run_id=run_id, by="Airflow", detach=detach, settings=settings)
    except EtltctlError as error:
        LOG.error("%s of %s may go on: %s", step, run_id, error.message)
        return
    if run is not None:
        LOG.warning("%s %s run %s of %s", "left" if detach else "stopped", run.service, run.id, run.name)


def tell_failure(context: Any) -> None:
    """Log the run's report as a failure callback: what happened, to which run, and what to do next."""
    from etltctl.pipeline import describe_failure

    # A task that was killed has no exception, and its callback must report something all the same.
    dag_run = context["dag_run"]
    error = context.get("exception") or "the task was ended from outside"
    LOG.error("%s", describe_failure(error, f"{dag_run.dag_id}-{dag_run.run_id}", spell=_with_environment))


def _with_environment(spelled: Command) -> str:
    """Return the command with the flag that leads to the tasks' environment, on whichever machine it is typed."""
    from etltctl.settings import load_settings

    try:
        return str(Command((*spelled.words, "--env", load_settings().env)))
    except EtltctlError:
        return str(spelled)
