"""The documents, compared with the project."""

import re
from pathlib import Path

from etltctl.settings import load_settings

PROJECT = Path(__file__).parents[3]
TABLES = (PROJECT / "docs" / "tables.md").read_text("utf-8")


def test_every_table_is_documented() -> None:
    settings = load_settings(env="local", environ={})
    written = {table for job in settings.glue.jobs.values() for table in job.writes}
    assert written <= set(re.findall(r"`(\w+\.\w+)`", TABLES))


def test_every_table_for_readers_is_checked_for_its_documented_key() -> None:
    settings = load_settings(env="local", environ={})
    documented = dict(re.findall(r"^\| `((?:silver|gold)\.\w+)` \| ([\w, ]+) \|", TABLES, re.MULTILINE))
    written = {table for job in settings.glue.jobs.values() for table in job.writes}
    read = {table for table in written if not table.startswith("silver_rejects.")}
    assert {table: ", ".join(settings.tables[table].keys) for table in read} == {
        table: documented[table] for table in read
    }


def test_every_rule_is_documented() -> None:
    rules = (PROJECT / "glue_jobs" / name for name in ("weather_quality.py", "f1_quality.py"))
    codes = {code for file in rules for code in re.findall(r'"([A-Z0-9]+(?:_[A-Z0-9]+)+)"', file.read_text())}
    assert len(codes) > 25
    assert codes <= set(re.findall(r"`([A-Z0-9_]+)`", TABLES))


def test_every_named_proof_exists() -> None:
    page = (PROJECT / "docs" / "faults.md").read_text("utf-8")
    rows = [row for row in page.partition("| proved by |")[2].partition("\n\n")[0].splitlines()[2:] if row]
    named = [name for row in rows for name in re.findall(r"\btest_\w+", row.split("|")[3])]
    assert [row for row in rows if not re.search(r"\btest_\w+", row.split("|")[3])] == []
    tests = "".join(file.read_text("utf-8") for file in (PROJECT / "tests").rglob("test_*.py"))
    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_every_event_is_documented() -> None:
    kinds = r'"((?:check|query|run|step|remote|verify|publish|cost|warning|preflight)\.[a-z]+)"'
    sources = "".join(file.read_text("utf-8") for file in (PROJECT / "src" / "etltctl").rglob("*.py"))
    page = (PROJECT / "docs" / "events.md").read_text("utf-8")
    assert set(re.findall(kinds, sources)) == set(re.findall(r"`(\w+\.\w+)`", page))
