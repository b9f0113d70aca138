"""The job of SOURCE on Spark: what reaches silver. Run it: pytest"""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "glue_jobs" / "bronze_to_silver.py"
TABLE = "silver.table"
COLUMNS = (
    "id int, position string, built_at string, _airbyte_extracted_at string, _airbyte_generation_id long"
)


@pytest.fixture
def job(monkeypatch):
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    # Columns of this test. The script names those of your tables: write a test with them, too.
    monkeypatch.setattr(script, "KEYS", {TABLE: ["id"]})
    monkeypatch.setattr(script, "JSON", {TABLE: {"position": "struct<lat: double>"}})
    monkeypatch.setattr(script, "TIMES", {TABLE: ["built_at"]})
    return script


def test_values_are_unpacked_and_repeats_and_columns_of_airbyte_are_dropped(glue_spark, job):
    records = [
        (1, '{"lat": 1.5}', "2026-11-28T08:30:00Z", "2026-11-29 09:00", 2),
        (1, '{"lat": 2.5}', "2026-11-28T08:30:00Z", "2026-11-29 10:00", 2),
        (2, None, None, "2026-11-27 09:00", 1),
    ]
    rows = job.clean(job.current(glue_spark.createDataFrame(records, COLUMNS)), TABLE)
    assert rows.columns == ["id", "position", "built_at"]
    (row,) = rows.selectExpr("id", "position.lat as lat", "cast(built_at as string) as built_at").collect()
    assert row.asDict() == {"id": 1, "lat": 2.5, "built_at": "2026-11-28 08:30:00"}


def test_a_value_of_another_type_fails_the_job(glue_spark, job):
    records = [(1, None, "yesterday", "2026-11-29 09:00", 1)]
    with pytest.raises(Exception, match="built_at is not a time: yesterday"):
        job.clean(glue_spark.createDataFrame(records, COLUMNS), TABLE).collect()
