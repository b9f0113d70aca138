"""Pictures of the web UI for the documentation, taken if a folder for them is named and Chromium is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.services import Airflow

FOLDER = "ETLTCTL_SCREENSHOTS"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
LOADS_S = 20


def keep_page(airflow: Airflow, dag: str, run: str) -> None:
    """Save the DAG run's page as a PNG named by version and DAG."""
    chromium, folder = shutil.which("chromium"), os.environ.get(FOLDER)
    if not chromium or not folder:
        return
    quoted = run.replace(":", "%3A").replace("+", "%2B")
    page = (
        f"/dags/{dag}/runs/{quoted}"
        if airflow.version == 3
        else f"/dags/{dag}/grid?dag_run_id={quoted}&tab=graph"
    )
    target = Path(folder).resolve() / f"airflow{airflow.version}_{dag}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [chromium, *FLAGS, f"--user-data-dir={profile}", "--window-size=1280,720", f"--screenshot={target}",
             f"--virtual-time-budget={LOADS_S * 1000}", airflow.url + page],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
