"""Which principals can read a table, which principals did, and which permissions a publisher lacks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from etltctl.diagnosis.findings import Status
from etltctl.diagnosis.governance import check_access
from etltctl.diagnosis.probe import Probe
from etltctl.errors import AccessError, UsageError
from etltctl.governance import plan, read_accesses, who
from etltctl.governance.access import TableView
from etltctl.governance.model import Location, State
from etltctl.governance.needs import Need
from etltctl.governance.reads_on_record import since_when
from etltctl.governance.unmet_needs import missing_in
from etltctl.pipeline import changes_of_pipelines
from support.governed import (
    FILTERED,
    PATAGONIA,
    PLACES,
    GovernedLake,
    arn,
    grant,
    missing_for_pipelines,
    require_step_access,
    seen,
)


def test_govern_who_lists_every_principal_with_columns_rows_and_grant(lake: GovernedLake) -> None:
    lake.apply(FILTERED + grant("role:engineer", 'layer = "gold"\non = "tables"', "SELECT"))
    readers = {row.principal: row for row in who("gold.weather_daily", lake.settings(""))}
    assert (readers[arn("analyst")].columns, readers[arn("analyst")].rows) == (
        "city_key, temp_mean_c, notes",
        PATAGONIA,
    )
    assert readers[arn("engineer")].through == "gold: every table"
    assert len(seen(lake, role="engineer")) == len(PLACES)
    with pytest.raises(UsageError, match=r"no table gold\.nothing"):
        who("gold.nothing", lake.settings(""))


def test_every_read_of_a_registered_table_is_in_the_audit(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    start = datetime.now(UTC)
    seen(lake)
    with pytest.raises(AccessError):
        seen(lake, role="visitor")
    accesses = read_accesses(
        lake.settings(""), table="gold.weather_daily", since=(start - timedelta(seconds=1)).isoformat()
    )
    assert {(row.principal, row.outcome) for row in accesses} >= {
        (arn("analyst"), "allowed"), (arn("visitor"), "AccessDenied"),
    }  # fmt: skip
    assert read_accesses(lake.settings(""), table="gold.weather_monthly", since=start.isoformat()) == []


def test_a_publish_by_the_owner_needs_no_grant(lake: GovernedLake) -> None:
    """The owner made every table and so has every permission. The role of the Glue jobs needs none."""
    lake.apply("")
    settings = lake.settings("")
    assert missing_for_pipelines(settings) == []
    (finding,) = check_access(Probe(lake.settings(""), time.time))
    assert finding.status is Status.OK
    assert " lacks " not in plan(settings, changes_of_pipelines(settings)).text()
    for step in ("glue:silver_to_gold", "sync:mongodb"):
        require_step_access(settings, step)


def test_the_plan_lists_each_permission_that_a_publisher_would_lack(
    lake: GovernedLake,
) -> None:
    settings, caller = lake.settings(""), arn("operator")
    need = Need("glue:silver_to_gold", caller, "ALTER", "gold.weather_daily", "publishes it")
    (finding,) = missing_in([need], settings, State(), {}, frozenset())
    assert str(finding) == (
        f"{caller} lacks CREATE_TABLE on database gold (E203): glue:silver_to_gold publishes it"
    )
    assert list(missing_in([need], settings, State(), {}, frozenset({caller}))) == [finding]


def test_an_administrator_may_use_any_location_but_not_create_tables_or_alter_those_of_others(
    lake: GovernedLake,
) -> None:
    settings, caller = lake.settings(""), arn("operator")
    table = TableView("gold", "weather_daily", ("n",), creator=arn("maker"))
    state = State(locations={"arn:aws:s3:::pi-m3-gold": Location(arn("Reader"))})
    needs = [
        Need("glue:silver_to_gold", caller, permission, "gold.weather_daily", "publishes it")
        for permission in ("ALTER", "CREATE_TABLE", "DATA_LOCATION_ACCESS")
    ]

    def lacks(admins: frozenset[str]) -> list[str]:
        findings = missing_in(needs, settings, state, {table.resource: table}, admins)
        return [finding.need.permission for finding in findings]

    assert lacks(frozenset()) == ["ALTER", "CREATE_TABLE", "DATA_LOCATION_ACCESS"]
    assert lacks(frozenset({caller})) == ["ALTER", "CREATE_TABLE"]


def test_a_grant_on_all_tables_is_not_revoked_where_it_is_listed_on_one(
    lake: GovernedLake,
) -> None:
    """A listing of a resource contains the sum of all grants, and a filter makes the plan list its table."""
    wide = FILTERED + grant("role:engineer", 'layer = "gold"\non = "tables"', "SELECT")
    lake.apply(wide)
    table = {"Table": {"DatabaseName": "gold", "Name": "weather_daily"}}
    rows = lake.client("lakeformation").list_permissions(Resource=table)["PrincipalResourcePermissions"]
    resources = {row["Principal"]["DataLakePrincipalIdentifier"]: row["Resource"] for row in rows}
    assert resources[arn("engineer")]["TableWithColumns"]["Name"] == "weather_daily"
    assert plan(lake.settings(wide)).changes == ()
    readers = {row.principal: row.through for row in who("gold.weather_daily", lake.settings(wide))}
    assert readers[arn("engineer")] == "gold: every table"


def test_times_are_parsed_and_ninety_days_are_the_maximum() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert since_when("12h", now) == now - timedelta(hours=12)
    assert since_when("2026-11-01", now) == datetime(2026, 11, 1, tzinfo=UTC)
    assert since_when("1000d", now) == now - timedelta(days=90)
    with pytest.raises(UsageError, match="'yesterday' is not a valid time"):
        since_when("yesterday", now)
