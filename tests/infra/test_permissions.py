"""The roles' policies over calls of special cases, which no run of a small pipeline meets."""

from __future__ import annotations

from checkout import Checkout, recorded
from wire import SPECIAL

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import STAGING, Catalog, Partitions, Table
from etltctl.infrastructure.calls import OPERATOR
from etltctl.s3 import S3

TABLE = Table("special", "t", "s3://lake1-bronze/t/", {"n": "bigint"}, {"day": "string"})


def test_what_special_cases_call_is_in_the_operator_s_policy(deployed: Checkout) -> None:
    """Registered partitions that come, move and go; a version that is audited; one that is retired; many queries."""
    aws = Aws(region="us-east-1")
    catalog, partitions, s3 = Catalog(aws), Partitions(aws, TABLE), S3(aws)
    with recorded() as calls:
        catalog.ensure_database("special")
        catalog.put(TABLE, None)
        s3.write("s3://lake1-bronze/t/day=1/part-0", b"1")
        partitions.put({("1",): "s3://lake1-bronze/t/day=1/"})
        partitions.put({("1",): "s3://lake1-bronze/t/moved/", ("2",): "s3://lake1-bronze/t/day=2/"})
        partitions.put({})
        catalog.unstage("special", f"{STAGING}t")
        assert s3.delete_folder("s3://lake1-bronze/t/day=1/") == 1
        Athena(aws, "lake1").look_at_many(["00000000-0000-0000-0000-000000000000"])
    allowed = {name for names in OPERATOR.values() for name in names}
    assert SPECIAL <= calls <= allowed
