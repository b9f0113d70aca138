"""Properties of any weather documents: rows are conserved, and their order and files do not matter."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake import JobArguments, read_stream

pytestmark = pytest.mark.spark

NOON = 1_704_110_400
HOUR = 3600
STREAMS = 5
LINEAGE = {"source_file", "run_id", "ingested_at"}

WriteBronze = Callable[..., str]

_number = st.one_of(st.none(), st.floats(-500, 2000), st.integers(-500, 2000), st.just("7.5"), st.just("n/a"))
_entry = st.fixed_dictionaries(
    {"id": st.sampled_from([200, 502, 601, 741, 800, 804])}, optional={"main": st.text(max_size=3)}
)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.fixed_dictionaries({}, optional=fields)


_documents = st.lists(
    st.fixed_dictionaries(
        {
            "dt": st.sampled_from([NOON, NOON + HOUR, NOON + 2 * HOUR, None, -1]),
            "city_name": st.sampled_from(["Riohacha", "El Calafate", None, ""]),
        },
        optional={
            "main": _some(temp=_number, humidity=_number, pressure=_number, dew_point=_number),
            "wind": _some(speed=_number, deg=_number, gust=_number),
            "clouds": _some(all=_number),
            "rain": _some(**{"1h": _number, "3h": _number}),
            "weather": st.none() | st.lists(_entry, max_size=3),
        },
    ),
    min_size=20,
    max_size=40,
)
_stream = st.tuples(_documents, st.randoms(use_true_random=False), st.integers(0, 40))


def _apart(documents: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Return the documents of one stream with ids and place names that no other stream has."""
    return [
        {
            **document,
            "_id": f"{index:08x}{number:016x}",
            "city_name": document["city_name"] and f"{document['city_name']} {number}",
        }
        for index, document in enumerate(documents)
    ]


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@settings(
    max_examples=1,  # five streams in one example: planning the two Spark jobs costs more than all their rows
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
@given(streams=st.lists(_stream, min_size=STREAMS, max_size=STREAMS))
def test_documents_are_conserved_in_any_order_and_over_any_files(
    spark: SparkSession, write_weather_bronze: WriteBronze, streams: list[tuple[Any, Any, int]]
) -> None:
    from bronze_to_silver import observe_weather, screen_documents
    from job_config import WEATHER, read_config
    from weather_documents import BRONZE

    assume(len({cut for *_, cut in streams}) > 1)  # the first example is the simplest: it would test nothing
    config = read_config(WEATHER, {})

    def silver(files: list[list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], int]:
        location = None
        for index, file in enumerate(files):
            location = write_weather_bronze(file, location=location, file=f"2026_01_02_{index:02}_0")
        screened = screen_documents(read_stream(spark, location, BRONZE), config).cache()
        nothing = {"run_id": F.lit("r"), "config_hash": F.lit("c")}
        rows = [row.asDict(recursive=True) for row in observe_weather(screened, config, nothing).collect()]
        kept = [{name: value for name, value in row.items() if name not in LINEAGE} for row in rows]
        rejected = screened.where("reason is not null").count()
        screened.unpersist()
        return sorted(kept, key=lambda row: (row["city_key"], row["observed_at"])), rejected

    identified = [_apart(documents, number) for number, (documents, _, _) in enumerate(streams)]
    rows, rejected = silver(identified)
    assert sum(row["source_rows"] for row in rows) + rejected == sum(map(len, identified))
    assert len({(row["city_key"], row["observed_at"]) for row in rows}) == len(rows)
    parts = []
    for documents, (_, order, cut) in zip(identified, streams, strict=True):
        shuffled = order.sample(documents, len(documents))
        parts += [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    assert repr(silver(parts)) == repr((rows, rejected))


@pytest.mark.pack
def test_the_same_bronze_gives_the_same_bytes(
    spark: SparkSession,
    compiled: Callable[[], AbstractContextManager[None]],
    weather_pack: str,
    pack_lake: dict[str, str],
    tmp_path: Path,
) -> None:
    """Gold does not depend on its run id. The lake of the other tests is the first run: one more is enough."""
    import bronze_to_silver
    import silver_to_gold

    def digests(lake: dict[str, str]) -> list[tuple[str, str]]:
        return sorted(
            (f"{table}/{file.parent.relative_to(location)}", hashlib.sha256(file.read_bytes()).hexdigest())
            for table, location in lake.items()
            for file in Path(location).rglob("*.parquet")
        )

    again = {table: str(tmp_path / table) for table in pack_lake}
    silver = {bronze_to_silver.TABLE: again[bronze_to_silver.TABLE]}
    gold = {table: again[table] for table in silver_to_gold.TABLES}
    bronze = {bronze_to_silver.SOURCE: weather_pack}
    with compiled():
        bronze_to_silver.run(spark, JobArguments("run-1", bronze, silver, {}))
        silver_to_gold.run(spark, JobArguments("run-2", silver, gold, {}))
    first = digests(pack_lake)
    assert first == digests(again)
    assert {table.split("/")[0] for table, _ in first} == set(pack_lake)
