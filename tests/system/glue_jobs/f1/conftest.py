"""Bronze of the Formula 1 API in the form that Airbyte writes, from hand-written records or from the data pack."""

import gzip
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

EXTRACTED_AT_MS = 1_767_323_045_000
HEAD = ("season", "round", "url", "raceName", "Circuit", "date", "time")
SESSIONS = (
    "FirstPractice",
    "SecondPractice",
    "ThirdPractice",
    "Qualifying",
    "Sprint",
    "SprintShootout",
    "SprintQualifying",
)
STREAMS = {
    "races": (*HEAD, *SESSIONS),
    "results": (*HEAD, "Results"),
    "sprint": (*HEAD, "SprintResults"),
    "qualifying": (*HEAD, "QualifyingResults"),
    "pit_stops": (*HEAD, "PitStops"),
    "laps": (*HEAD, "Laps"),
    "drivers": (
        "driverId", "permanentNumber", "code", "url", "givenName", "familyName", "dateOfBirth", "nationality",
    ),
    "constructors": ("constructorId", "url", "name", "nationality"),
    "circuits": ("circuitId", "url", "circuitName", "Location"),
    "driver_standings": ("season", "round", "DriverStandings"),
    "constructor_standings": ("season", "round", "ConstructorStandings"),
}  # fmt: skip
SILVER = (
    "race", "circuit", "driver", "constructor", "result", "qualifying", "pit_stop", "driver_standing",
    "constructor_standing",
)  # fmt: skip

Record = Mapping[str, Any]
WriteStream = Callable[..., str]


def write_records(
    folder: Path, stream: str, records: Iterable[Record], *, generation: int = 1, synced_at: int = 1
) -> str:
    """Write one Parquet file of a stream with its declared columns: scalars as text, objects and lists as JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(records)
    columns: dict[str, Any] = {
        "_airbyte_raw_id": pa.array([str(index) for index in range(len(rows))], pa.string()),
        "_airbyte_extracted_at": pa.array([EXTRACTED_AT_MS] * len(rows), pa.int64()),
        "_airbyte_generation_id": pa.array([generation] * len(rows), pa.int64()),
    }
    for name in STREAMS[stream]:
        columns[name] = pa.array([_as_text(row.get(name)) for row in rows], pa.string())
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"2026_01_02_{synced_at}_0.parquet")
    return f"{folder}/"


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


@pytest.fixture(scope="session")
def write_stream(tmp_path_factory: pytest.TempPathFactory) -> WriteStream:
    """Return a function that writes records as a stream of bronze, and returns the stream's location."""

    def write(stream: str, records: Iterable[Record], location: str | None = None, **sync: int) -> str:
        folder = Path(location) if location else tmp_path_factory.mktemp(stream)
        return write_records(folder, stream, records, **sync)

    return write


@pytest.fixture(scope="session")
def pack_streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return bronze of every Formula 1 record of the data pack, as job inputs; skip if there is no pack."""
    pack = os.environ.get("ETLTCTL_DATA_PACK")
    if not pack:
        pytest.skip("ETLTCTL_DATA_PACK is not set")
    folder = tmp_path_factory.mktemp("bronze")
    seasons = sorted(path for path in Path(pack, "f1").iterdir() if path.name.isdigit())
    locations = {}
    for stream in STREAMS:
        records = [record for season in seasons for record in _pack_records(season, stream)]
        if records:
            locations[f"bronze.api_{stream}"] = write_records(folder / stream, stream, records)
    return locations


def _pack_records(season: Path, stream: str) -> list[Record]:
    file = season / f"{stream.replace('_', '')}.json.gz"
    if not file.is_file():
        return []
    answer = json.loads(gzip.decompress(file.read_bytes()))["MRData"]
    table = next(value for name, value in answer.items() if name.endswith("Table"))
    return next(value for value in table.values() if isinstance(value, list))


@pytest.fixture(scope="session")
def pack_silver(
    spark: Any, compiled: Any, pack_streams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return the location of every silver table of the pack, which the job wrote, by table name."""
    from bronze_to_silver_api import run
    from lake import JobArguments

    folder = tmp_path_factory.mktemp("silver")
    outputs = {f"silver.f1_{name}": str(folder / name) for name in SILVER}
    with compiled():
        run(spark, JobArguments("run-1", pack_streams, outputs, {}))
    return outputs


@pytest.fixture(scope="session")
def pack_gold(
    spark: Any, compiled: Any, pack_silver: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return the location of every gold table of the pack, which the job wrote, by table name."""
    from lake import JobArguments
    from silver_to_gold_api import TABLES, run

    folder = tmp_path_factory.mktemp("gold")
    outputs = {table: str(folder / table) for table in TABLES}
    with compiled():
        run(spark, JobArguments("run-1", pack_silver, outputs, {}))
    return outputs
