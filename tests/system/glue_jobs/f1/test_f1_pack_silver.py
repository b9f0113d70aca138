"""The silver tables of the real seasons in the data pack: they have their known numbers of rows, and no orphans."""

import pytest
from pyspark.sql import SparkSession

from support.audits import counts_of

pytestmark = [pytest.mark.spark, pytest.mark.pack]

ROWS = {
    "race": 146,
    "result": 3288,
    "qualifying": 2982,
    "pit_stop": 5479,
    "driver_standing": 3098,
    "constructor_standing": 1495,
}


@pytest.mark.parametrize("table", ROWS)
def test_every_row_of_the_pack_arrives(spark: SparkSession, pack_silver: dict[str, str], table: str) -> None:
    location = pack_silver[f"silver.f1_{table}"]
    assert spark.read.parquet(location).count() == ROWS[table] == counts_of(location)["rows_out"]


def test_rows_are_conserved_and_only_one_conflicts(pack_silver: dict[str, str]) -> None:
    audits = {name: counts_of(location) for name, location in pack_silver.items()}
    lost = {n: a for n, a in audits.items() if a["rows_in"] != a["rows_out"] + a["merged"] + a["rejected"]}
    assert lost == {}
    assert audits["silver.f1_qualifying"]["flags"]["DUP_CONFLICT"] == 1
    assert {name: audit["rejected"] for name, audit in audits.items() if audit["rejected"]} == {}
    print({name: audit["flags"] for name, audit in audits.items()})
