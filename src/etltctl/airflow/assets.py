"""The lake's tables as Airflow's assets, so that other DAGs can follow when one is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.airflow.versions import Asset

SCHEME = "x-etltctl://"


def tables(*names: str) -> list[Any]:
    """Return an asset (Airflow 2: a dataset) for each table, `layer.table`.

    Its URI is the same in every environment.
    """
    return [Asset(name=name, uri=SCHEME + name.replace(".", "/")) for name in names]


def note_published(outlets: list[Any], result: Mapping[str, Any], context: Mapping[str, Any]) -> None:
    """Add to the assets' events what the step did: its verb, and each table's rows and change.

    Args:
        outlets: The task's assets.
        result: The step's result.
        context: Airflow's context of the task.
    """
    for outlet in outlets:
        name = str(outlet.uri).removeprefix(SCHEME).replace("/", ".")
        table = result.get("tables", {}).get(name)
        if table is not None:
            start = {"verb": result["verb"], "remote_id": result["remote_id"]}
            context["outlet_events"][outlet].extra = {
                **start,
                "rows": table["rows"],
                "change": table["change"],
            }
