"""One Athena for the tests of this folder, with the table `days` in its catalog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from etltctl.local.services.athena.service import AthenaService
from etltctl.local.services.s3.directory import S3Directory
from support.embedded_athena import OneCatalog, put


@pytest.fixture(scope="package")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the service. One process for queries serves every test."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="package")
def directory(state: Path) -> S3Directory:
    s3_directory = S3Directory(state / "s3", state / "s3-meta")
    for bucket in ("lake", "results"):
        s3_directory.create_bucket(bucket)
    return s3_directory


@pytest.fixture(scope="package")
def days(directory: S3Directory) -> OneCatalog:
    """A catalog with the table `days`."""
    catalog = OneCatalog()
    put(
        directory,
        "days/v=1/part-0.parquet",
        city=pa.array(["a", "b", None]),
        n=pa.array([7, 2, None], pa.int32()),
        x=pa.array([1.5, 2.0, None]),
        day=pa.array([date(2026, 1, 2), None, None]),
        at=pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        points=pa.array([Decimal("12.50"), None, None], pa.decimal128(6, 2)),
        tags=pa.array([["A", "B"], [], None]),
        ok=pa.array([True, False, None]),
    )
    directory.put_object("lake", "days/v=1/_SUCCESS", b"")
    columns = {
        "city": "string", "n": "bigint", "x": "double", "day": "date", "at": "timestamp",
        "points": "decimal(6,2)", "tags": "array<string>", "ok": "boolean", "absent": "string",
    }  # fmt: skip
    catalog.add("days", "s3://lake/days/v=1/", columns)
    return catalog


@pytest.fixture
def catalog(days: OneCatalog) -> Iterator[OneCatalog]:
    """The shared catalog; tables that a test adds are removed after it."""
    yield days
    days.tables = {("gold", "days"): days.tables["gold", "days"]}
    days.partitions = []


@pytest.fixture(scope="package")
def athena(state: Path, directory: S3Directory, days: OneCatalog) -> Iterator[AthenaService]:
    service = AthenaService(state, directory, days)
    yield service
    service.close()
