"""The reference of all columns of silver and gold, from the texts that the jobs hand to the catalog."""

from __future__ import annotations

import sys
from pathlib import Path

JOBS = Path(__file__).parents[2] / "glue_jobs"


def columns_reference() -> str:
    """Return for each table what it is, and the meaning and unit of each column."""
    # The jobs' modules stand alone, outside the package: they are imported from their folder.
    if str(JOBS) not in sys.path:
        sys.path.append(str(JOBS))
    import f1_descriptions
    import weather_descriptions

    lines = []
    for module in (weather_descriptions, f1_descriptions):
        for table, (description, names) in module.TABLES.items():
            texts = {**module.COLUMNS, **module.OWN_COLUMNS.get(table, {})}
            rows = [f"| `{name}` | {texts[name]} |\n" for name in names.split()]
            lines += [f"## {table}\n\n{description}\n\n| column | meaning |\n| --- | --- |\n", *rows, "\n"]
    return "".join(lines).removesuffix("\n")
