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
    from airflow import __version__

    return _has_triggerer_in_database() if __version__.startswith("2.") else _answers_healthy(_server())


def _server() -> str:
    """Where the workers find Airflow 3's API server."""
    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    execution = conf.get("core", "execution_api_server_url", fallback="") or base
    return str(execution).rstrip("/").removesuffix("/execution")


def _answers_healthy(url: str) -> bool:
    """Asks Airflow's own health page, which needs no login; whatever else answers is no triggerer."""
    try:
        with urlopen(f"{url}/api/v2/monitor/health", timeout=LOOK_S) as answer:
            return bool(json.load(answer)["triggerer"]["status"] == "healthy")
    except (URLError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False


def _has_triggerer_in_database() -> bool:
    from airflow.jobs.job import most_recent_job
    from airflow.utils.session import create_session

    with create_session() as session:
        job = most_recent_job("TriggererJob", session=session)
        return bool(job is not None and job.is_alive())
