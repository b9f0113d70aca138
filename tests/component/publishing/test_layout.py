"""A table's location contains only data; etltctl's records about versions are elsewhere."""

from __future__ import annotations

import io
from pathlib import Path
from uuid import uuid4

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from etltctl.aws import Aws
from etltctl.errors import UnverifiedError
from etltctl.values import S3Location
from support.lakes import SmallLake
from support.served import Served

ONE = ("gold.one",)


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> SmallLake:
    """A lake that deletes old versions as soon as more than two exist."""
    name = f"t{uuid4().hex[:10]}"
    lake = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\nkeep_versions = 2\ngrace_minutes = 0\n'
    return SmallLake(server, aws, tmp_path, f'{lake}[athena.databases]\ngold = "{name}"\n')


def below(small: SmallLake, location: str) -> list[str]:
    return [one.location.removeprefix(location) for one in small.lake.s3.objects(location)]


def old_version(small: SmallLake, version: str, audit: str = '{"rows_in": 3, "rows_out": 2}') -> str:
    """Write a version as older scripts do, which put everything into the version's folder."""
    location = small.write("gold.one", version, [{"version": version, "n": n} for n in range(2)])
    small.lake.s3.write(f"{location}_audit/part-0.txt", audit.encode())
    small.lake.s3.write(f"{location}_audit/_SUCCESS", b"")
    small.lake.s3.write(f"{location}_SUCCESS", b"")
    return location


def test_a_reader_that_opens_every_object_of_a_table_reads_its_rows(small: SmallLake) -> None:
    location = old_version(small, "v1")
    (done,) = small.lake.publish({"gold.one": location})
    assert done.row_counts == {"rows_in": 3, "rows_out": 2}
    root = str(small.lake.places.root("gold.one"))
    assert below(small, root) == ["v=v1/part-0.parquet"]
    places = [S3Location.parse(one.location) for one in small.lake.s3.objects(root)]
    files = [(place.bucket, place.key) for place in places]
    client = small.aws.client("s3")
    bodies = [client.get_object(Bucket=bucket, Key=key)["Body"].read() for bucket, key in files]
    assert [body[:4] for body in bodies] == [b"PAR1"]
    assert sum(ds.dataset(pq.read_table(io.BytesIO(body))).count_rows() for body in bodies) == 2


@pytest.mark.parametrize(
    "name",
    [
        "",
        "year=2024/",
        "year=2024_$folder$",
        "_temporary/0/",
        "_temporary/0/_task.parquet",
        "_spark_metadata/0",
    ],
)
def test_a_published_version_holds_parquet_alone(small: SmallLake, name: str) -> None:
    location = small.write("gold.one", "v1", [{"version": "v1", "n": n} for n in range(2)], rows_out=2)
    small.lake.s3.write(f"{location}{name}", b"" if name.endswith(("/", "$")) or not name else b"x")
    (done,) = small.lake.publish({"gold.one": location})
    assert done.rows == 2
    assert below(small, str(small.lake.places.root("gold.one"))) == ["v=v1/part-0.parquet"]


def test_pyarrow_reads_the_folder_of_a_table_without_any_option(small: SmallLake) -> None:
    small.lake.publish({"gold.one": old_version(small, "v1")})
    root = S3Location.parse(small.lake.places.root("gold.one"))
    folder = small.server.state / "s3" / root.bucket / root.key
    table = ds.dataset(folder, format="parquet", partitioning="hive", ignore_prefixes=[]).to_table()
    assert table.to_pydict() == {"version": ["v1", "v1"], "n": [0, 1], "v": ["v1", "v1"]}


def test_an_audit_in_its_own_folder_is_read_and_deleted_with_its_version(small: SmallLake) -> None:
    for version in ("v1", "v2", "v3"):
        rows = [{"version": version, "n": 1}]
        (done,) = small.lake.publish(
            {"gold.one": small.write("gold.one", version, rows, rows_out=1, n=version)}
        )
        assert done.row_counts["n"] == version
    assert small.lake.s3.folders(small.lake.places.root("gold.one")) == ["v=v2", "v=v3"]
    assert small.lake.s3.folders(small.lake.places.records("gold.one")) == ["v=v2", "v=v3"]


def test_a_version_of_the_old_layout_can_be_served_rolled_back_to_and_retired(small: SmallLake) -> None:
    location = old_version(small, "v1")
    small.lake.s3.write(f"{location}_PUBLISHED", b"")
    (done,) = small.another().refresh(
        ONE
    )  # the catalog lost it, but the mark inside says that it was published
    assert (done.change, done.rows) == ("created", 2)
    small.publish("v2", ONE)
    small.lake.rollback("gold.one", "v1")
    assert below(small, location) == [
        "_PUBLISHED",
        "_SUCCESS",
        "_audit/_SUCCESS",
        "_audit/part-0.txt",
        "part-0.parquet",
    ]
    assert small.lake.records.job_report("gold.one", location) == {"rows_in": 3, "rows_out": 2}
    small.publish("v3", ONE)
    small.publish("v4", ONE)
    assert small.lake.s3.folders(small.lake.places.root("gold.one")) == ["v=v3", "v=v4"]
    assert small.lake.s3.folders(small.lake.places.records("gold.one")) == ["v=v3", "v=v4"]


@pytest.mark.parametrize(
    "text", [b"half {", b"[1]", b"\xff\xfe", b'{"rows_out": "2"}', b'{"rows_out": null}']
)
def test_an_audit_that_is_not_a_json_object_publishes_nothing(small: SmallLake, text: bytes) -> None:
    location = old_version(small, "v1")
    small.lake.s3.write(f"{location}_audit/part-0.txt", text)
    with pytest.raises(UnverifiedError, match="cannot be read: "):
        small.lake.publish({"gold.one": location})
    assert small.described("gold.one") == {}
