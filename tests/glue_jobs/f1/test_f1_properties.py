"""What holds for any records at all: rows are conserved, and pages, repeats and order do not matter."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

pytestmark = pytest.mark.spark

_text = st.sampled_from(["", "1", "2", "3", "n/a", None])
_results = st.lists(
    st.fixed_dictionaries(
        {
            "round": st.integers(1, 3).map(str),
            "Driver": st.fixed_dictionaries(
                {}, optional={"driverId": st.sampled_from(["ann", "bob", "cid", ""])}
            ),
            "position": _text,
            "points": st.sampled_from(["25", "12.5", "0", "x"]),
            "grid": _text,
        }
    ),
    min_size=10,
    max_size=40,
)


def _pages(rows: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """Records as the API pages them: so many rows a page, each under its race."""
    pages = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [
        {"season": "2024", "round": number, "Results": [_item(row) for row in page if row["round"] == number]}
        for page in pages
        for number in sorted({row["round"] for row in page})
    ]


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "round" and value is not None}


@settings(
    max_examples=5,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate],  # every example is a Spark run: shrinking one would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=_results,
    order=st.randoms(use_true_random=False),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_results_are_conserved_in_any_order_and_over_any_pages(
    spark: SparkSession,
    write_stream: Callable[..., str],
    rows: list[dict[str, Any]],
    order: Any,
    sizes: tuple[int, int],
) -> None:
    from f1_cleaning import clean_rows, screen_rows
    from f1_records import COLUMNS, no_records, read_records

    def silver(listed: list[dict[str, Any]], size: int) -> tuple[list[Any], int]:
        location = write_stream("results", _pages(listed, size))
        streams = {name: no_records(spark, name) for name in COLUMNS}
        streams["results"] = read_records(spark, location, "results")
        screened = screen_rows("silver.f1_result", streams)
        kept = clean_rows("silver.f1_result", screened, streams, {"run_id": F.lit("r")}).drop("ingested_at")
        return kept.collect(), screened.where("reason is not null").count()

    kept, rejected = silver(rows, sizes[0])
    assert sum(row.source_rows for row in kept) + rejected == len(rows)
    assert len({(row["round"], row.driver_id) for row in kept}) == len(kept)
    assert silver(order.sample(rows, len(rows)), sizes[1]) == (kept, rejected)
