"""The OpenLineage run of the DAG run, as Airflow's own provider names it: the parent of etltctl's run."""

from __future__ import annotations

import logging
from typing import Any

LOG = logging.getLogger("airflow.task")


def lineage_root(context: Any) -> str:
    """Return the OpenLineage run of the DAG run as `NAMESPACE/JOB/RUN`; empty if Airflow reports none.

    Args:
        context: The context of the task.
    """
    try:
        from airflow.providers.openlineage import conf
        from airflow.providers.openlineage.plugins import macros
    except ImportError:
        return ""
    try:
        # A run that Airflow does not report would be a parent that no one knows.
        return "" if conf.is_disabled() else str(macros.lineage_root_parent_id(context["ti"]))
    # Versions of the provider differ in what they need of a task, and lineage must not fail one.
    except Exception as error:  # noqa: BLE001
        LOG.warning("the lineage of this task names no DAG run: %s", error)
        return ""
