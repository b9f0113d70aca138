"""The events of a run as the installed command prints and keeps them."""

from __future__ import annotations

import json
from typing import Any

from support.spoilt import SpoiltLake


def stream(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def of_type(lake: SpoiltLake, run_id: str, *types: str) -> list[dict[str, Any]]:
    return [event for event in lake.events(run_id) if event["type"] in types]
