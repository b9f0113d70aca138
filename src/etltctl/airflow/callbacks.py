"""What Airflow calls when a task ends otherwise than well: the stop of its remote work, the report of its failure."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from etltctl.airflow.settings_source import SettingsSource
from etltctl.errors import Command, EtltctlError

if TYPE_CHECKING:
    from etltctl.settings import Settings

LOG = logging.getLogger("airflow.task")


def stop(step: str, run_id: str, source: SettingsSource) -> None:
    """Stop what the step has running, or leave it running, as the setting `airflow.on_kill` says; never raise.

    Args:
        step: The step, `kind:name`.
        run_id: The run's id.
        source: Where the step's settings come from.
    """
    from etltctl.pipeline import stop_step

    try:
        settings = source.connected()
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
    settings = _settings_of(context.get("task"))
    run_id = f"{dag_run.dag_id}-{dag_run.run_id}"
    LOG.error("%s", describe_failure(error, run_id, settings, spell=partial(_with_environment, settings)))


def _settings_of(task: object) -> Settings | None:
    """Return the settings of the task that failed; None if they have problems, which may be why it failed."""
    try:
        return SettingsSource.of_task(task).connected()
    except EtltctlError:
        return None


def _with_environment(settings: Settings | None, spelled: Command) -> str:
    """Return the command with the flag that leads to the tasks' environment, on whichever machine it is typed."""
    return str(spelled if settings is None else Command((*spelled.words, "--env", settings.env)))
