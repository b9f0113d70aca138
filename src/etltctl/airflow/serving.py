"""Whether the wait can be handed to a triggerer."""

from __future__ import annotations

import http.client
import json
from urllib.error import URLError
from urllib.request import urlopen

LOOK_S = 5.0


def is_deferrable() -> bool:
    """What the setting `airflow.deferrable` says; for `auto`, whether a triggerer serves now."""
    from etltctl.settings import load_settings

    wanted = load_settings().airflow.deferrable
    return _has_triggerer() if wanted == "auto" else bool(wanted)


def _has_triggerer() -> bool:
    try:
        from airflow.executors.base_executor import get_execution_api_server_url
    except ImportError:  # Airflow before 3.3
        from airflow.configuration import conf

        if not conf.has_option("api", "base_url"):
            return _has_triggerer_in_database()
        return _answers_healthy(conf.get("api", "base_url", fallback="http://localhost:8080"))
    return _answers_healthy(
        get_execution_api_server_url().removesuffix("execution/").removesuffix("execution")
    )


def _answers_healthy(url: str) -> bool:
    """Asks Airflow's own health page, which needs no login; whatever else answers is no triggerer."""
    try:
        with urlopen(f"{url.rstrip('/')}/api/v2/monitor/health", timeout=LOOK_S) as answer:
            return bool(json.load(answer)["triggerer"]["status"] == "healthy")
    except (URLError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False


def _has_triggerer_in_database() -> bool:
    from airflow.jobs.job import most_recent_job
    from airflow.utils.session import create_session

    with create_session() as session:
        job = most_recent_job("TriggererJob", session=session)
        return bool(job is not None and job.is_alive())
