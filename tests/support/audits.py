"""The audit that a job writes next to a table, as its tests compare it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def counts_of(location: str | Path) -> dict[str, Any]:
    """Return the one line of a table's audit, without the texts that describe the table and its columns."""
    (line,) = "".join(path.read_text() for path in Path(location, "_audit").glob("part-*")).splitlines()
    return {
        name: value for name, value in json.loads(line).items() if name not in ("description", "comments")
    }
