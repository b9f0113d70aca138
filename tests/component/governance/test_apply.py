"""An apply reaches a fixpoint: a second one changes nothing, and one that failed continues."""

from __future__ import annotations

import pytest

from etltctl.errors import ServiceError
from etltctl.governance import apply, plan, who
from support.governed import (
    ACCOUNT,
    FILTERED,
    PATAGONIA,
    ZONES,
    GovernedLake,
    arn,
    grant,
    seen,
)


def test_a_second_apply_makes_no_write_call(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    log = lake.folder / "state" / "server" / "server.log"
    before = len(log.read_text())
    assert lake.apply(FILTERED) == []
    lines = log.read_text()[before:].splitlines()
    calls = [line.partition(" POST /")[2].partition(" ")[0] for line in lines if " POST /" in line]
    written = [name for name in calls if name and not name.startswith(("Get", "List", "Search", "Describe"))]
    assert "ListPermissions" in calls
    assert written == []


def test_more_grants_than_fit_a_batch_or_a_page_are_made_and_listed(lake: GovernedLake) -> None:
    names = [f"f{number:03}" for number in range(120)]
    filters = "".join(
        f'[governance.filters."gold.weather_daily".{name}]\nrows = "lat > {name[1:]}"\n' for name in names
    )
    grants = "".join(
        grant("role:analyst", f'table = "gold.weather_daily"\nfilters = {names[n : n + 10]!r}', "SELECT")
        for n in range(0, 90, 10)
    )
    applied = lake.apply(filters + grants)
    assert len([change for change in applied if change.phase == "grants"]) == 90
    assert len([change for change in applied if change.phase == "filters"]) == 120
    assert not plan(lake.settings(filters + grants)).changes


def test_a_filter_changes_in_place_and_is_deleted_after_its_grants(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    (change,) = lake.apply(FILTERED.replace(PATAGONIA, "city_key = 'newark_liberty_intl'"))
    assert (change.sign, change.phase) == ("~", "filters")
    assert [row["city_key"] for row in seen(lake)] == ["newark_liberty_intl"]
    assert [change.phase for change in lake.apply("")] == ["revokes", "drop-filters"]


def test_a_failure_in_the_body_of_a_success_is_an_error_and_a_second_run_continues(
    lake: GovernedLake,
) -> None:
    lake.apply("")
    text = grant("role:latecomer", 'table = "gold.weather_daily"', "SELECT") + grant(
        "role:analyst", 'table = "gold.weather_daily"', "SELECT"
    )
    with pytest.raises(ServiceError, match="BatchGrantPermissions failed for 1 of its entries") as error:
        lake.apply(text)
    assert "role/latecomer" in error.value.facts["failures"]
    assert len(seen(lake)) == 5
    lake.client("iam").create_role(RoleName="latecomer", AssumeRolePolicyDocument="{}")
    assert [change.text for change in lake.apply(text)] == [
        f"SELECT on gold.weather_daily to {arn('latecomer')}"
    ]
    lake.client("lakeformation").revoke_permissions(
        Principal={"DataLakePrincipalIdentifier": arn("latecomer")},
        Resource={"Table": {"DatabaseName": "gold", "Name": "weather_daily"}},
        Permissions=["SELECT"],
    )


def test_administrators_are_those_of_the_settings_and_always_the_caller(lake: GovernedLake) -> None:
    zones = ZONES.replace(
        "[governance]", '[governance]\nadmins = ["role:engineer"]\nsource_identity = true', 1
    )
    lake.apply("", zones=zones)
    kept = lake.client("lakeformation").get_data_lake_settings()["DataLakeSettings"]
    admins = {item["DataLakePrincipalIdentifier"] for item in kept["DataLakeAdmins"]}
    assert admins == {arn("engineer"), f"arn:aws:iam::{ACCOUNT}:user/etltctl"}
    shown = {"CROSS_ACCOUNT_VERSION": "4", "SET_SOURCE_IDENTITY": "TRUE", "SET_CONTEXT": "TRUE"}
    assert kept["Parameters"] == shown
    planned = plan(lake.settings("", zones=zones))
    assert not planned.changes
    assert "leaves out" in planned.warnings[0]
    lake.apply("", zones=zones.replace("role:engineer", "user:etltctl"))


def test_the_default_for_new_tables_is_closed_so_that_no_one_sees_a_new_table(
    lake: GovernedLake,
) -> None:
    lake.apply("")
    lake.client("glue").create_table(
        DatabaseName="gold",
        TableInput={
            "Name": "fresh",
            "StorageDescriptor": {"Columns": [], "Location": "s3://pi-m3-gold/fresh/"},
        },
    )
    try:
        assert not plan(lake.settings("")).changes
        assert [row.through for row in who("gold.fresh", lake.settings(""))] == [
            "gold.fresh"
        ]  # the permissions of its creator
    finally:
        lake.client("glue").delete_table(DatabaseName="gold", Name="fresh")


def test_a_reader_of_both_states_can_read_at_every_moment_of_an_apply(lake: GovernedLake) -> None:
    """The role reads through a tag before, and by name after the table has another tag."""
    tags = '[governance.tags]\naudience = ["everyone", "named"]\n[governance.assign]\n'
    through_tag = grant("role:analyst", 'tags = { audience = ["everyone"] }', "SELECT")
    by_name = grant("role:analyst", 'table = "gold.weather_daily"', "SELECT")
    lake.apply(f'{tags}"gold.weather_daily" = {{ audience = "everyone" }}\n{through_tag}')
    settings = lake.settings(f'{tags}"gold.weather_daily" = {{ audience = "named" }}\n{by_name}')
    counts: list[int] = []
    apply(settings, confirm=lambda plan: True, on_change=lambda change: counts.append(len(seen(lake))))
    assert counts == [5, 5, 5]
    lake.apply("[governance.tags]\naudience = []\n")


def test_tags_of_others_and_grants_of_others_stay(lake: GovernedLake) -> None:
    formation = lake.client("lakeformation")
    lake.client("iam").create_role(RoleName="outsider", AssumeRolePolicyDocument="{}")
    lake.client("glue").create_database(DatabaseInput={"Name": "foreign"})
    lake.apply('[governance.tags]\naudience = ["everyone"]\n')
    formation.create_lf_tag(TagKey="theirs", TagValues=["x"])
    formation.update_lf_tag(TagKey="audience", TagValuesToAdd=["theirs", "odd"])
    pairs = [{"TagKey": "audience", "TagValues": ["theirs"]}, {"TagKey": "theirs", "TagValues": ["x"]}]
    formation.add_lf_tags_to_resource(Resource={"Database": {"Name": "foreign"}}, LFTags=pairs)
    outsider = {"DataLakePrincipalIdentifier": arn("outsider")}
    formation.grant_permissions(
        Principal=outsider,
        Resource={"Table": {"DatabaseName": "gold", "Name": "weather_daily"}},
        Permissions=["ALL"],
    )
    applied = lake.apply('[governance.tags]\naudience = ["everyone"]\n')
    assert [change.text for change in applied] == ["LF-tag audience: odd"]
    kept = formation.get_resource_lf_tags(Resource={"Database": {"Name": "foreign"}})["LFTagOnDatabase"]
    assert {pair["TagKey"]: pair["TagValues"] for pair in kept} == {"audience": ["theirs"], "theirs": ["x"]}
    assert len(seen(lake, role="outsider")) == 5
    assert f"granted data of governed databases: {arn('outsider')}" in plan(lake.settings("")).text()
    formation.revoke_permissions(
        Principal=outsider,
        Resource={"Table": {"DatabaseName": "gold", "Name": "weather_daily"}},
        Permissions=["ALL"],
    )
    formation.remove_lf_tags_from_resource(Resource={"Database": {"Name": "foreign"}}, LFTags=pairs)
    lake.client("glue").delete_database(Name="foreign")
