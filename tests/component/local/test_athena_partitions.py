"""Partitioned tables: partitions of the catalog with their own schema, and partitions that are projected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.athena import Athena
from support.served import Served

PLACE = "s3://files-of-partitions"


@pytest.fixture(scope="module")
def parted(server: Served) -> Iterator[Athena]:
    """Athena with a database `parted` and files whose folders name a day and a number."""
    athena = Athena(server, "files-of-partitions", "parted")
    athena.succeed("CREATE DATABASE parted")
    for day, number in (("2024-01-30", "01"), ("2024-01-31", "02"), ("2024-02-01", "03"), ("x", "4")):
        athena.s3.put_object(
            Bucket="files-of-partitions", Key=f"in/day={day}/n={number}/a.csv", Body=f"{number}\n".encode()
        )
        athena.s3.put_object(
            Bucket="files-of-partitions", Key=f"by/{day.replace('-', '/')}/{number}.csv", Body=b"1\n"
        )
    yield athena
    athena.succeed("DROP DATABASE parted CASCADE")


def project(athena: Athena, keys: str, properties: dict[str, str], place: str = "in") -> None:
    athena.succeed("DROP TABLE IF EXISTS t")
    described = {
        "projection.enabled": "true",
        **{f"projection.{name}": text for name, text in properties.items()},
    }
    template = described.pop("projection.template", "")
    table_properties = {**described, **({"storage.location.template": template} if template else {})}
    text = ", ".join(f"'{name}' = '{value}'" for name, value in table_properties.items())
    athena.succeed(
        f"CREATE EXTERNAL TABLE t (id int) PARTITIONED BY ({keys}) LOCATION '{PLACE}/{place}/' TBLPROPERTIES ({text})"
    )


DAYS = {"day.type": "date", "day.format": "yyyy-MM-dd", "day.range": "2024-01-31,NOW"}
NUMBERS = {"n.type": "integer", "n.range": "0,3", "n.digits": "2"}


@pytest.mark.parametrize(
    ("days", "numbers", "rows"),
    [
        (DAYS, NUMBERS, ["2", "3"]),
        ({**DAYS, "day.range": "2024-01-01, 2024-01-31"}, NUMBERS, ["1", "2"]),
        ({**DAYS, "day.range": "2023-12-31,NOW", "day.interval": "31"}, NUMBERS, ["2"]),
        ({"day.type": "enum", "day.values": "x,2024-02-01"}, NUMBERS, ["3"]),
        ({"day.type": "ENUM", "day.values": "x"}, {"n.type": "integer", "n.range": "1,9"}, ["4"]),
        (DAYS, {**NUMBERS, "n.interval": "2", "n.range": "1,5"}, ["3"]),
    ],
)
def test_only_projected_partitions_are_read(
    parted: Athena, days: dict[str, str], numbers: dict[str, str], rows: list[str]
) -> None:
    project(parted, "day string, n string", {**days, **numbers})
    assert parted.rows("SELECT id FROM t ORDER BY id") == [(row,) for row in rows]
    assert parted.rows("SHOW PARTITIONS t") == []


def test_a_template_places_the_values_of_a_partition(parted: Athena) -> None:
    days = {"day.type": "date", "day.format": "yyyy/MM/dd", "day.range": "2024/01/01,2024/01/31"}
    project(parted, "day string", {**days, "template": f"{PLACE}/by/${{day}}"}, "elsewhere")
    assert parted.rows("SELECT DISTINCT day FROM t ORDER BY 1") == [("2024/01/30",), ("2024/01/31",)]


def test_an_injected_value_must_stand_in_a_condition(parted: Athena) -> None:
    project(
        parted,
        "day string, n int",
        {"day.type": "injected", "n.type": "integer", "n.range": "0,9", "n.digits": "2"},
    )
    assert parted.rows("SELECT id, day FROM t WHERE day = '2024-01-31' AND n < 5") == [("2", "2024-01-31")]
    assert parted.rows("SELECT id FROM t WHERE (day IN ('2024-01-31', 'y'))") == [("2",)]
    for condition in ("", "WHERE day > '2024'", "WHERE day = '2024-01-31' OR n = 1"):
        assert parted.reason(f"SELECT id FROM t {condition}").startswith(
            "CONSTRAINT_VIOLATION: For the injected projected partition column day, the WHERE clause must contain"
        )


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, "Column day has the unknown projection type ''"),
        ({"day.type": "integer", "day.range": "1"}, "Column day needs a projection range of two values"),
        ({"day.type": "integer", "day.range": "a,b"}, "Column day has the projection value 'a'"),
        ({"day.type": "date", "day.range": "a,b"}, "Column day has no projection format"),
        ({**DAYS, "day.range": "soon,NOW"}, "Column day has the projection bound 'soon'"),
    ],
)
def test_a_projection_without_its_properties_is_refused(
    parted: Athena, properties: dict[str, str], reason: str
) -> None:
    project(parted, "day string", properties)
    assert parted.reason("SELECT * FROM t").startswith(f"INVALID_TABLE_PROPERTY: {reason}")


def test_a_partition_has_its_own_format_and_columns(parted: Athena) -> None:
    parted.succeed("DROP TABLE IF EXISTS t")
    parted.succeed(f"CREATE EXTERNAL TABLE t (id bigint) PARTITIONED BY (day date) LOCATION '{PLACE}/in/'")
    parted.succeed(f"ALTER TABLE t ADD PARTITION (day = '2024-01-30') LOCATION '{PLACE}/in/day=2024-01-30/'")
    parted.succeed("ALTER TABLE t PARTITION (day = '2024-01-30') REPLACE COLUMNS (id int)")
    parted.succeed("ALTER TABLE t ADD COLUMNS (more string)")
    assert parted.rows("SELECT id, more, day FROM t") == [("1", None, "2024-01-30")]
    parted.succeed("ALTER TABLE t PARTITION (day = '2024-01-30') REPLACE COLUMNS (id boolean)")
    assert parted.reason("SELECT * FROM t") == (
        "HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch between the table and partition schemas. The types are "
        "incompatible and cannot be coerced. The column 'id' in table 'parted.t' is declared as type 'bigint', but "
        "partition 'day=2024-01-30' declared column 'id' as type 'boolean'."
    )
