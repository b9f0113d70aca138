"""The roles' policies over calls of special cases, which no run of a small pipeline meets."""

from __future__ import annotations

from contextlib import suppress

from checkout import Checkout, recorded
from wire import SPECIAL

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import STAGING, Catalog, Partitions, Table
from etltctl.errors import AccessError
from etltctl.governance import require_access
from etltctl.infrastructure.calls import GOVERNED, OPERATOR
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import operator_statements
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


def test_where_the_lake_is_governed_the_operator_may_see_whether_a_step_can_work(deployed: Checkout) -> None:
    zones = {"trusted": {"layers": ["silver"]}, "curated": {"layers": ["gold"], "hybrid": True}}
    settings = deployed.settings(governance__zones=zones)
    step = "glue:silver_to_gold"
    with recorded() as calls, suppress(AccessError):  # nothing is granted yet, so everything is looked at
        require_access(settings, step, settings.glue.jobs["silver_to_gold"].writes)
    allowed = {name for names in OPERATOR.values() for name in names}
    everybody_may = {"sts:GetCallerIdentity"}
    governed = {call for call in calls if call.startswith("lakeformation:")}
    assert {"lakeformation:ListPermissions", "lakeformation:GetDataLakeSettings"} <= governed <= set(GOVERNED)
    assert calls - governed - everybody_may <= allowed
    statements = {s["Sid"]: s for s in operator_statements(Names(settings))}
    assert set(statements["Governance"]["Action"]) == set(GOVERNED)
