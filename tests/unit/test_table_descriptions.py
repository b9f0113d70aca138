"""What the catalog says of the tables: a text for every table and column of the shipped jobs, and nothing stale."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import f1_descriptions
import weather_descriptions
from etltctl.catalog.tables import MAX_COMMENT_CHARACTERS, MAX_DESCRIPTION_CHARACTERS
from etltctl.tabulating import one_line

PROJECT = Path(__file__).parents[2]
MODULES = (weather_descriptions, f1_descriptions)
OPT_IN = "silver.f1_lap"


def written_tables() -> set[str]:
    """Return every table that a job of the shipped settings writes."""
    settings = tomllib.loads((PROJECT / "etltctl.toml").read_text("utf-8"))
    return {table for job in settings["glue"]["jobs"].values() for table in job["writes"]}


def test_every_table_that_a_job_writes_is_described() -> None:
    described = [table for module in MODULES for table in module.TABLES]
    assert sorted(described) == sorted(written_tables() | {OPT_IN})


@pytest.mark.parametrize("module", MODULES)
def test_every_column_has_a_comment_that_glue_takes(module: ModuleType) -> None:
    for table, (description, names) in module.TABLES.items():
        assert one_line(description, MAX_DESCRIPTION_CHARACTERS) == description
        texts = {**module.COLUMNS, **module.OWN_COLUMNS.get(table, {})}
        missing = [name for name in names.split() if not texts.get(name)]
        assert not missing, f"{table} has columns without a comment: {missing}"
        assert all(one_line(texts[name], MAX_COMMENT_CHARACTERS) == texts[name] for name in names.split())


@pytest.mark.parametrize("module", MODULES)
def test_no_comment_is_of_a_column_that_no_table_has(module: ModuleType) -> None:
    columns = {table: set(names.split()) for table, (_, names) in module.TABLES.items()}
    assert set(module.COLUMNS) - set().union(*columns.values()) == set()
    for table, own in module.OWN_COLUMNS.items():
        assert set(own) <= columns[table]


@pytest.mark.parametrize("module", MODULES)
def test_a_comment_names_the_unit_that_ends_the_column_s_name(module: ModuleType) -> None:
    units = {
        "_ms": ("ms", "m/s"), "_hpa": ("hPa",), "_c": ("Celsius",), "_wm2": ("W/m2",), "_pct": ("%",),
        "_deg": ("degrees",), "_mm": ("mm",), "_kgm3": ("kg/m3",), "_kwh_m2": ("kWh",), "_s": ("seconds",),
    }  # fmt: skip
    for name, text in module.COLUMNS.items():
        words = next((words for ending, words in units.items() if name.endswith(ending)), ("",))
        assert any(word in text for word in words), name


def test_the_page_of_tables_names_the_same_tables() -> None:
    page = (PROJECT / "docs" / "tables.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+\.\w+)` \|", page, re.MULTILINE)) == written_tables() | {OPT_IN}
