"""What the documents say, against what the project is."""

import re
from pathlib import Path

from etltctl.settings import load_settings

PROJECT = Path(__file__).parents[2]
TABLES = (PROJECT / "docs" / "tables.md").read_text("utf-8")


def test_every_table_is_told_of() -> None:
    settings = load_settings(env="local", environ={})
    written = {table for job in settings.glue.jobs.values() for table in job.writes}
    assert written <= set(re.findall(r"`(\w+\.\w+)`", TABLES))


def test_every_rule_is_told_of() -> None:
    rules = (PROJECT / "glue_jobs" / name for name in ("weather_quality.py", "f1_quality.py"))
    codes = {code for file in rules for code in re.findall(r'"([A-Z0-9]+(?:_[A-Z0-9]+)+)"', file.read_text())}
    assert len(codes) > 25
    assert codes <= set(re.findall(r"`([A-Z0-9_]+)`", TABLES))
