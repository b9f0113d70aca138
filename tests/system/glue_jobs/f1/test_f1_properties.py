"""Properties of any Formula 1 records: rows are conserved, and pages, repeats and order do not matter."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
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


_season = st.tuples(_results, st.randoms(use_true_random=False), st.integers(1, 9), st.integers(1, 9))
SEASONS = 5


def _pages(rows: list[dict[str, Any]], season: int, size: int) -> list[dict[str, Any]]:
    """Return records as the API pages them: at most `size` rows a page, each under its race."""
    pages = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [
        {
            "season": str(2020 + season),
            "round": number,
            "Results": [_item(row) for row in page if row["round"] == number],
        }
        for page in pages
        for number in sorted({row["round"] for row in page})
    ]


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "round" and value is not None}


@settings(
    max_examples=1,  # five seasons in one example: planning the Spark jobs costs more than all their rows
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate],  # every example is a Spark run: shrinking one would take minutes
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
@given(seasons=st.lists(_season, min_size=SEASONS, max_size=SEASONS))
def test_results_are_conserved_in_any_order_and_over_any_pages(
    spark: SparkSession,
    write_stream: Callable[..., str],
    seasons: list[tuple[list[dict[str, Any]], Any, int, int]],
) -> None:
    from f1_cleaning import clean_rows, screen_rows
    from f1_records import COLUMNS, no_records, read_records

    # The first example is the simplest: it would test nothing.
    assume(len({size for *_, size in seasons}) > 1)

    def silver(pages: list[dict[str, Any]]) -> tuple[list[Any], int]:
        streams = {name: no_records(spark, name) for name in COLUMNS}
        streams["results"] = read_records(spark, write_stream("results", pages), "results")
        screened = screen_rows("silver.f1_result", streams)
        kept = clean_rows("silver.f1_result", screened, streams, {"run_id": F.lit("r")}).drop("ingested_at")
        return kept.collect(), screened.where("reason is not null").count()

    first, again = [], []
    for number, (rows, order, size, other_size) in enumerate(seasons):
        first += _pages(rows, number, size)
        again += _pages(order.sample(rows, len(rows)), number, other_size)
    kept, rejected = silver(first)
    assert sum(row.source_rows for row in kept) + rejected == sum(len(rows) for rows, *_ in seasons)
    assert len({(row.season, row["round"], row.driver_id) for row in kept}) == len(kept)
    assert silver(again) == (kept, rejected)
