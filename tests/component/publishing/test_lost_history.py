"""A table whose entry in the catalog is lost: its versions are on record next to the data, and a refresh finds them."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.errors import BlockedError
from etltctl.values import TableName
from support.lakes import SmallLake
from support.served import Served

ONE = ("gold.one",)


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> SmallLake:
    name = f"t{uuid4().hex[:10]}"
    own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
    return SmallLake(server, aws, tmp_path, own)


def lose_entry(small: SmallLake) -> None:
    database, name = small.lake.places.in_catalog("gold.one")
    small.aws.client("glue").delete_table(DatabaseName=database, Name=name)


def test_a_refresh_finds_the_versions_of_a_lost_table_in_the_order_of_publication(small: SmallLake) -> None:
    for version in ("v1", "v2", "v3"):
        small.publish(version, ONE)
    small.lake.rollback("gold.one", "v2")
    small.write("gold.one", "v9", pa.table({"n": [1]}))  # and never published
    lose_entry(small)
    (refreshed,) = small.another().refresh(ONE)
    assert refreshed.change == "created"
    lake = small.another()
    assert lake.versions("gold.one") == ["v3", "v2", "v1"]
    current = lake.current_location("gold.one")
    # Times of S3 are whole seconds, in which all of this may happen.
    assert current.endswith(("/v=v2/", "/v=v3/"))
    lake.rollback("gold.one", "v1")
    assert lake.current_location("gold.one").endswith("/v=v1/")
    with pytest.raises(BlockedError, match="no published version v9"):
        lake.rollback("gold.one", "v9")


def test_a_version_that_was_deleted_is_no_longer_a_version(small: SmallLake) -> None:
    small.publish("v1", ONE)
    small.publish("v2", ONE)
    small.lake.s3.delete_folder(small.lake.places.version(TableName.parse("gold.one"), "v1"))
    lose_entry(small)
    small.another().refresh(ONE)
    assert small.another().versions("gold.one") == ["v2"]


def test_versions_that_were_found_again_are_not_deleted_as_never_published(small: SmallLake) -> None:
    for version in ("v1", "v2"):
        small.publish(version, ONE)
    lose_entry(small)
    small.another().refresh(ONE)
    small.publish("v3", ONE)
    assert small.another().versions("gold.one") == ["v3", "v2", "v1"]
    assert small.lake.s3.folders(small.lake.places.root("gold.one")) == ["v=v1", "v=v2", "v=v3"]
