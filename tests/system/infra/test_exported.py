"""A Tableau export: it removes the files that Athena unloaded, and the operator's role allows that."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from moto.iam.access_control import PermissionResult

from etltctl.aws import Aws
from etltctl.catalog import Catalog, Table
from etltctl.errors import ConfigurationError
from etltctl.extracting import Selection, write_table
from support.checkout import Checkout
from support.simulated import Simulation

KEY = re.compile(r"<Key>([^<]+)</Key>")


def is_allowed(checkout: Checkout, action: str, resource: str) -> bool:
    (policy,) = Simulation(checkout.client("iam")).policies("lake1-operator")
    return policy.is_action_permitted(action, resource) is PermissionResult.PERMITTED


def test_the_operator_removes_every_file_of_an_export_from_s3(deployed: Checkout, tmp_path: Path) -> None:
    file, place = io.BytesIO(), "s3://lake1-gold/exported/"
    pq.write_table(pa.table({"n": [1, 2]}), file)
    s3 = deployed.client("s3")
    s3.put_object(Bucket="lake1-gold", Key="exported/part-0.parquet", Body=file.getvalue())
    aws = Aws(region="us-east-1")
    Catalog(aws).put(Table("lake1_gold", "small", place, {"n": "bigint"}), None)
    deleted: list[str] = []

    def note(params: dict[str, object], **_: object) -> None:
        deleted.extend(KEY.findall(bytes(params["body"]).decode()))  # type: ignore[call-overload]

    aws.client("s3").meta.events.register("before-call.s3.DeleteObjects", note)
    with suppress(ConfigurationError):  # Tableau's engine need not be installed: the rows are here by then
        write_table(Selection("gold.small"), tmp_path / "small.hyper", deployed.settings(), aws)
    deployed.client("glue").delete_table(DatabaseName="lake1_gold", Name="small")
    assert deleted
    assert s3.list_objects_v2(Bucket="lake1-athena-results", Prefix="tableau/")["KeyCount"] == 0
    assert all(
        is_allowed(deployed, "s3:DeleteObject", f"arn:aws:s3:::lake1-athena-results/{key}") for key in deleted
    )
    assert not is_allowed(deployed, "s3:DeleteObject", "arn:aws:s3:::lake1-athena-results/0a1b.csv")
