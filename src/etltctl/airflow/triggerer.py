"""Whether the wait of a task can be handed to a triggerer."""

from __future__ import annotations

import http.client
import json
from urllib.error import URLError
from urllib.request import urlopen

ANSWERS_WITHIN_S = 5.0


def is_deferrable() -> bool:
    """Return what the setting `airflow.deferrable` says; for `auto`, whether a triggerer serves now."""
    from etltctl.settings import load_settings

    deferrable = load_settings().airflow.deferrable
    return _has_triggerer() if deferrable == "auto" else bool(deferrable)


def _has_triggerer() -> bool:
    from airflow import __version__

    return _has_triggerer_in_database() if __version__.startswith("2.") else _has_triggerer_at(_server())


def _server() -> str:
    """Return the URL where the workers reach Airflow 3's API server."""
    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    execution = conf.get("core", "execution_api_server_url", fallback="") or base
    return str(execution).rstrip("/").removesuffix("/execution")


def _has_triggerer_at(url: str) -> bool:
    """Return what Airflow's health page says of the triggerer; the page needs no login.

    Any other answer counts as none, because another program may listen there.
    """
    try:
        with urlopen(f"{url}/api/v2/monitor/health", timeout=ANSWERS_WITHIN_S) as answer:
            return bool(json.load(answer)["triggerer"]["status"] == "healthy")
    except (URLError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False


def _has_triggerer_in_database() -> bool:
    from airflow.jobs.job import most_recent_job
    from airflow.utils.session import create_session

    with create_session() as session:
        job = most_recent_job("TriggererJob", session=session)
        return bool(job is not None and job.is_alive())
