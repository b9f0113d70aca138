"""Write the invented season into the package: `python tests/support/invented_season`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from etltctl.local.samples.archive import INVENTED_FILE
from support.invented_season.season import invented_season


def season_text() -> str:
    """Return the data file: one line a record, so that a change of one race is a change of a few lines."""
    lists = [
        f'"{endpoint}": [\n' + ",\n".join(json.dumps(record) for record in records) + "\n]"
        for endpoint, records in invented_season().items()
    ]
    return "{\n" + ",\n".join(lists) + "\n}\n"


if __name__ == "__main__":
    INVENTED_FILE.write_text(season_text(), "utf-8")
    print(f"wrote {INVENTED_FILE}")
