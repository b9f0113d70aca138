"""Partitions: every counted row is read, with the values that were written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.errors import BlockedError, EtltctlError, RunFailedError, ServiceError
from etltctl.querying import run_query
from support.lakes import SmallLake
from support.served import Served

NULL = "__HIVE_DEFAULT_PARTITION__"
# Folder names as Spark writes them for these values; null and the empty text share one folder.
ODD = {
    "plain": "plain", "a%3Ab": "a:b", "x%3Dy": "x=y", "50%25": "50%", "New York": "New York", "O%27Brien": "O'Brien",
    "a%2Fb": "a/b", "comma,here": "comma,here", "%253A": "%3A", "A": "A", "a": "a", "null": "null", "東京": "東京",
    "q%22t": 'q"t', "back%5Cslash": "back\\slash", "2024-01-01 00%3A00": "2024-01-01 00:00", "%2A": "*", "a|b": "a|b",
    NULL: None,
}  # fmt: skip
ONE = ("gold.one",)


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> Iterator[SmallLake]:
    """A lake with tables that no other test uses."""
    name = f"t{uuid4().hex[:10]}"
    lake = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
    small = SmallLake(server, aws, tmp_path, lake)
    yield small
    small.spoil()


def write(small: SmallLake, version: str, folders: list[str], table: str = "gold.one") -> str:
    location = small.lake.version_location(table, version)
    for number, folder in enumerate(folders):
        small.put(f"{location}{folder}/part-0.parquet", [{"n": number, "version": version}])
    return location


def places(small: SmallLake, version: str, names: list[str]) -> str:
    return write(small, version, [f"place={name}" for name in names])


def rows(small: SmallLake, sql: str) -> list[tuple[Any, ...]]:
    database = small.settings.athena.databases["gold"]
    return [tuple(row) for row in run_query(sql, small.settings, database=database).rows()]


def types(small: SmallLake) -> dict[str, str]:
    return {key["Name"]: key["Type"] for key in small.described("gold.one")["PartitionKeys"]}


def test_every_value_is_read_as_it_was_written(small: SmallLake) -> None:
    (done,) = small.lake.publish({"gold.one": places(small, "v1", list(ODD))})
    stored_rows = rows(small, "select place, n from one")
    assert done.rows == len(stored_rows) == len(ODD)
    assert {place for place, _ in stored_rows} == set(ODD.values())
    assert rows(small, "select n from one where place = 'a:b'") == [(1,)]
    assert rows(small, "select n from one where place = 'comma,here'") == [(list(ODD).index("comma,here"),)]
    assert "projection.enabled" not in small.described("gold.one")["Parameters"]


@pytest.mark.parametrize(("folder", "value"), [("b,c", "b,c"), ("b%3Ac", "b:c"), (NULL, None)])
def test_one_value_that_projection_cannot_express_makes_all_partitions_registered(
    small: SmallLake, folder: str, value: str | None
) -> None:
    small.lake.publish({"gold.one": places(small, "v1", ["a", folder])})
    assert rows(small, "select place from one order by n") == [("a",), (value,)]
    assert "projection.enabled" not in small.described("gold.one")["Parameters"]


def test_values_that_projection_can_express_cost_no_partition_calls(small: SmallLake) -> None:
    calls: list[str] = []
    events = small.aws.client("glue").meta.events
    events.register("before-call.glue", lambda model, **_: calls.append(model.name), unique_id="recorded")
    small.lake.publish({"gold.one": write(small, "v1", ["City=New York/year=2024", "City=Bogotá/year=2023"])})
    assert not [name for name in calls if "Partition" in name]
    assert rows(small, 'select city, "year" from one order by n') == [("New York", 2024), ("Bogotá", 2023)]


@pytest.mark.parametrize(
    ("folders", "kind", "values"),
    [
        (["2023", "2024", NULL, "-5", "7"], "int", [2023, 2024, None, -5, 7]),
        (["1", "2000000000"], "int", [1, 2000000000]),
        (["1", "99999999999"], "bigint", [1, 99999999999]),
        (["1", "99999999999999999999"], "string", ["1", "99999999999999999999"]),
        (["007", "8"], "string", ["007", "8"]),
        ([NULL], "string", [None]),
    ],
)
def test_null_does_not_change_the_type_of_a_column(
    small: SmallLake, folders: list[str], kind: str, values: list[Any]
) -> None:
    small.lake.publish({"gold.one": places(small, "v1", folders)})
    assert types(small) == {"place": kind}
    assert [place for (place,) in rows(small, "select place from one order by n")] == values


def test_a_column_of_only_nulls_keeps_its_earlier_type(small: SmallLake) -> None:
    small.lake.publish({"gold.one": places(small, "v1", ["2024"])})
    small.lake.publish({"gold.one": places(small, "v2", [NULL])})
    assert types(small) == {"place": "int"}
    assert rows(small, "select place from one") == [(None,)]


@pytest.mark.parametrize(
    ("folders", "why"),
    [
        (["a=1/b=2", "a=1"], "different partition columns"),
        (["a=1", "."], "different partition columns"),
        (["a=1/b=2", "b=2/a=1"], "different partition columns"),
        (["a="], "without a value"),
        (["a=1", "x/a=1"], "lies in two folders"),
        (["n=1"], "both in its files and in the names of its folders"),
    ],
)
def test_paths_whose_rows_a_reader_would_miss_are_refused(
    small: SmallLake, folders: list[str], why: str
) -> None:
    location = write(small, "v1", [folder for folder in folders if folder != "."])
    if "." in folders:
        small.put(f"{location}part-0.parquet", [{"n": 1, "version": "v1"}])
    with pytest.raises(BlockedError, match=why):
        small.lake.publish({"gold.one": location})
    assert small.described("gold.one") == {}


def test_folders_below_a_partition_belong_to_it(small: SmallLake) -> None:
    (done,) = small.lake.publish({"gold.one": write(small, "v1", ["a=x%3Ay/part1", "a=x%3Ay/part2"])})
    assert done.rows == 2
    assert rows(small, "select a, count(*) from one group by a") == [("x:y", 2)]


def test_checks_read_the_partitions_of_a_version_under_audit(small: SmallLake) -> None:
    (small.folder / "etltctl.toml").write_text(
        (small.folder / "etltctl.toml").read_text()
        + '[tables."gold.one"]\nkeys = ["n"]\nnot_null = ["place"]\n'
    )
    strict = SmallLake(
        small.server, small.aws, small.folder, small.more + '[tables."gold.one"]\nnot_null = ["place"]\n'
    )
    with pytest.raises(BlockedError, match="place is null"):
        strict.lake.publish({"gold.one": places(strict, "v1", ["a,b", NULL])})


def test_versions_of_both_kinds_follow_each_other_and_can_be_rolled_back(small: SmallLake) -> None:
    kinds = {"v1": ["a", "b"], "v2": ["a", "b,c", NULL], "v3": ["a", "b,c", "d%3Ae"], "v4": ["a", "z"]}
    counts = {version: len(names) for version, names in kinds.items()}
    for version, names in kinds.items():
        small.lake.publish({"gold.one": places(small, version, names)})
        assert rows(small, "select version, count(*) from one group by 1") == [(version, counts[version])]
    for version in ("v3", "v1", "v2", "v3"):
        small.lake.rollback("gold.one", version)
        assert rows(small, "select version, count(*) from one group by 1") == [(version, counts[version])]
    assert small.another().refresh(ONE)[0].change == "unchanged"


def test_a_reader_gets_complete_versions_or_an_error_with_the_reason(small: SmallLake) -> None:
    names = ["a,b", *(f"p{number}" for number in range(120))]  # more than one batch
    small.lake.publish({"gold.one": places(small, "v0", names)})
    seen: list[Any] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                seen.extend(rows(small, "select version, count(*) from one group by 1"))
            except RunFailedError as error:
                seen.append(error.message)

    small.spoil(
        {"call": "BatchUpdatePartition", "delay": 0.4, "times": 0}
    )  # leave time for a query between batches
    reader = threading.Thread(target=read)
    reader.start()
    try:
        small.lake.publish({"gold.one": places(small, "v1", names)})
    finally:
        over.set()
        reader.join()
    whole = {("v0", len(names)), ("v1", len(names))}
    assert [one for one in seen if one not in whole and "being_published_by_etltctl" not in one] == []


@pytest.mark.parametrize("call", ["BatchUpdatePartition", "BatchCreatePartition"])
def test_a_publish_that_ends_between_the_batches_is_completed_or_undone(small: SmallLake, call: str) -> None:
    small.lake.publish({"gold.one": places(small, "v1", ["a,b", "c"])})
    location = places(small, "v2", ["a,b", "c", "d"])
    small.spoil(
        {"call": call, "refuse": {"status": 400, "body": {"__type": "InternalServiceException"}}, "times": 99}
    )
    with pytest.raises(ServiceError) as error:
        small.lake.publish({"gold.one": location})
    assert "are refused until this is done: etltctl retry" in error.value.hint
    assert "or go back: etltctl rollback gold.one, or open it" in error.value.hint
    small.spoil()
    with pytest.raises(EtltctlError, match="being_published_by_etltctl"):
        rows(small, "select * from one")
    small.another().publish({"gold.one": location})
    assert rows(small, "select version, count(*) from one group by 1") == [("v2", 3)]
    small.lake.rollback("gold.one")
    assert rows(small, "select version, count(*) from one group by 1") == [("v1", 2)]


def test_a_refresh_opens_a_table_that_was_left_closed(small: SmallLake) -> None:
    small.lake.publish({"gold.one": places(small, "v1", ["a,b", "c"])})
    small.spoil(
        {"call": "BatchUpdatePartition", "refuse": {"status": 403, "body": {"__type": "AccessDenied"}}}
    )
    with pytest.raises(EtltctlError):
        small.lake.publish({"gold.one": places(small, "v2", ["a,b", "c"])})
    small.spoil()
    assert small.another().refresh(ONE)[0].change == "updated"
    assert rows(small, "select version, count(*) from one group by 1") == [("v2", 2)]


def test_a_table_that_others_write_registers_values_that_projection_cannot_express(small: SmallLake) -> None:
    name = f"e{uuid4().hex[:8]}"
    location = f"s3://pi-m3-bronze/{name}/"
    own = f'[tables."bronze.{name}"]\nlocation = "{location}"\npartitions = "projection"\n'
    lake = SmallLake(small.server, small.aws, small.folder, small.more + own)
    for number, value in enumerate(("a%3Ab", "c,d")):
        lake.put(f"{location}day={value}/part-0.parquet", pa.table({"n": [number]}))
    (done,) = lake.lake.refresh([f"bronze.{name}"])
    assert (done.rows, done.partitions.created) == (2, 2)
    database = lake.settings.athena.databases["bronze"]
    days = run_query(f"select day from {name} order by n", lake.settings, database=database).rows()
    assert [tuple(row) for row in days] == [("a:b",), ("c,d",)]
