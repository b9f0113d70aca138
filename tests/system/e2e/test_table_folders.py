"""After both pipelines, the folder of every table holds Parquet files and nothing else."""

from __future__ import annotations

import json

import pytest

from etltctl.values import S3Location
from support.served import make_client
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
LAYERS = {"silver": "pi_m3_silver", "silver_rejects": "pi_m3_silver_rejects", "gold": "pi_m3_gold"}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_table_s_location_holds_parquet_alone(sample_lake: Workplace, layer: str) -> None:
    endpoint = json.loads((sample_lake.folder / ".etltctl" / "server" / "endpoint.json").read_text())
    glue, s3 = (make_client(service, endpoint["port"], sample_lake.keys) for service in ("glue", "s3"))
    tables = glue.get_tables(DatabaseName=LAYERS[layer])["TableList"]
    assert tables
    for table in tables:
        place = S3Location.parse(table["StorageDescriptor"]["Location"])
        root = place.key.rpartition("/v=")[0] + "/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=root)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        assert keys
        assert [key for key in keys if not key.endswith(".parquet")] == []
        starts = [
            s3.get_object(Bucket=place.bucket, Key=key, Range="bytes=0-3")["Body"].read() for key in keys
        ]
        assert set(starts) == {b"PAR1"}
