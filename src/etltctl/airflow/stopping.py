"""What becomes of remote work when Airflow ends the task that waits for it."""

from __future__ import annotations

import logging

from etltctl.errors import EtltctlError

LOG = logging.getLogger("airflow.task")


def stop(step: str, run_id: str) -> None:
    """Stops what the step has running, or lets it go on, as the setting `airflow.on_kill` says; never raises."""
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
