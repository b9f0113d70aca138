"""Lake Formation over the wire: plans that refuse, applies that reach a fixpoint, and rows that principals see."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.diagnosis.findings import Status
from etltctl.diagnosis.governance import check_access
from etltctl.diagnosis.probe import Probe
from etltctl.errors import AccessError, BlockedError, ConfigurationError, ServiceError, UsageError
from etltctl.governance import Change, Plan, apply, plan, read_accesses, who
from etltctl.governance.access import TableView
from etltctl.governance.accesses import since_when
from etltctl.governance.missing_permissions import missing_in
from etltctl.governance.model import Location, State
from etltctl.governance.needs import Need
from etltctl.pipeline import changes_of_pipelines
from support.governed import (
    ACCOUNT,
    PLACES,
    ZONES,
    GovernedLake,
    arn,
    governed_lake,
    missing_for_pipelines,
    require_step_access,
)

PATAGONIA = "city_key in ('el_calafate', 'puerto_madryn', 'san_carlos_de_bariloche')"
FILTERED = f"""
[governance.filters."gold.weather_daily".patagonia]
rows = "{PATAGONIA}"
exclude_columns = ["lat", "lon"]
[[governance.grants]]
principal = "role:analyst"
table = "gold.weather_daily"
filters = ["patagonia"]
permissions = ["SELECT"]
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    before = dict(os.environ)
    try:
        with governed_lake(tmp_path_factory.mktemp("governed"), os.environ) as lake:  # type: ignore[arg-type]
            yield lake
    finally:
        os.environ.clear()
        os.environ.update(before)


def grant(principal: str, about: str, *permissions: str, **more: Any) -> str:
    names = ", ".join(f'"{name}"' for name in permissions)
    return f'\n[[governance.grants]]\nprincipal = "{principal}"\n{about}\npermissions = [{names}]\n'


def seen(
    lake: GovernedLake, sql: str = "select * from weather_daily", role: str = "analyst"
) -> list[dict[str, Any]]:
    return lake.ask(sql, role)


# visible rows and columns


def test_a_reader_sees_only_the_rows_and_columns_of_its_filter(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    rows = seen(lake)
    assert [row["city_key"] for row in rows] == ["el_calafate", "puerto_madryn", "san_carlos_de_bariloche"]
    assert set(rows[0]) == {"city_key", "temp_mean_c", "notes"}
    assert [name["col_name"] for name in lake.ask("describe weather_daily", "analyst")] == [
        "city_key",
        "temp_mean_c",
        "notes",
    ]


def test_several_filters_combine_cell_by_cell(lake: GovernedLake) -> None:
    lake.apply(
        FILTERED.replace('"patagonia"]', '"patagonia", "north"]')
        + '[governance.filters."gold.weather_daily".north]\nrows = "city_key = \'newark_liberty_intl\'"\n'
        + 'columns = ["city_key", "lat"]\n'
    )
    rows = seen(lake, "select city_key, temp_mean_c, lat from weather_daily order by city_key")
    assert [(row["city_key"], row["temp_mean_c"], row["lat"]) for row in rows] == [
        ("el_calafate", 0.0, None), ("newark_liberty_intl", None, 1.0), ("puerto_madryn", 2.0, None),
        ("san_carlos_de_bariloche", 4.0, None),
    ]  # fmt: skip


def test_named_and_excluded_columns_narrow_a_table(lake: GovernedLake) -> None:
    lake.apply(
        grant("role:analyst", 'table = "gold.weather_daily"\ncolumns = ["city_key", "lat"]', "SELECT")
        + grant("role:engineer", 'table = "gold.weather_daily"\nexclude_columns = ["lat", "lon"]', "SELECT")
    )
    assert set(seen(lake)[0]) == {"city_key", "lat"}
    assert set(seen(lake, role="engineer")[0]) == {"city_key", "temp_mean_c", "notes"}


def test_a_tag_grant_hides_columns_with_other_tags(lake: GovernedLake) -> None:
    lake.apply(
        """
[governance.tags]
audience = ["everyone", "named"]
[governance.assign]
"gold" = { audience = "everyone" }
"gold.weather_daily.lat" = { audience = "named" }
"gold.weather_monthly" = { audience = "named" }
"gold.weather_monthly.city_key" = { audience = "everyone" }
"""
        + grant("role:analyst", 'tags = { audience = ["everyone"] }', "SELECT")
    )
    assert set(seen(lake)[0]) == {"city_key", "temp_mean_c", "lon", "notes"}
    assert set(seen(lake, "select * from weather_monthly")[0]) == {"city_key"}
    warned = plan(lake.settings("")).warnings
    assert warned == (
        f"{arn('analyst')} sees gold.weather_daily through tables tagged audience=everyone; "
        "governance.tags with audience = [] ends that",
    )
    lake.apply("[governance.tags]\naudience = []\n")
    assert "audience" not in {tag["TagKey"] for tag in lake.client("lakeformation").list_lf_tags()["LFTags"]}
    with pytest.raises(AccessError):
        seen(lake)


def test_an_ungranted_column_is_refused_and_a_hidden_one_cannot_be_queried(
    lake: GovernedLake,
) -> None:
    lake.apply(FILTERED)
    with pytest.raises(AccessError, match=rf"Required Select on gold\.weather_daily for {arn('visitor')}"):
        seen(lake, role="visitor")
    with pytest.raises(AccessError, match=r"Required Select on silver\.weather_observation"):
        seen(lake, "select city_key from silver.weather_observation")
    for sql in (
        "select lat from weather_daily",
        "select 1 from weather_daily where lat > 1",
        "select max(lon) from weather_daily",
    ):
        with pytest.raises(Exception, match="requester is not authorized to access requested resources"):
            seen(lake, sql)
    assert seen(
        lake,
        "with d as (select * from weather_daily) select count(*) as n from d join weather_daily w using (city_key)",
    ) == [{"n": 3}]


def test_everyone_sees_all_before_governance_and_hybrid_zones_need_an_opt_in(
    lake: GovernedLake,
) -> None:
    hybrid = ZONES.replace(
        'curated = { layers = ["gold"] }', 'curated = { layers = ["gold"], hybrid = true }'
    )
    iam = lake.client("lakeformation")
    everyone = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
    iam.grant_permissions(
        Principal=everyone,
        Resource={"Table": {"DatabaseName": "gold", "Name": "weather_daily"}},
        Permissions=["ALL"],
    )
    lake.apply(FILTERED, zones=hybrid)
    assert len(seen(lake)) == 5
    lake.apply(
        FILTERED + '[[governance.opt_ins]]\nprincipal = "role:analyst"\nlayer = "gold"\n', zones=hybrid
    )
    assert len(seen(lake)) == 3
    assert len(seen(lake, role="engineer")) == 5
    applied = lake.apply(FILTERED)
    assert [change.text for change in applied if change.phase == "opt-outs"] == [
        f"{arn('analyst')} opted in on database gold"
    ]
    with pytest.raises(AccessError):
        seen(lake, role="engineer")


# plan and apply


def test_a_second_apply_makes_no_write_call(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    log = lake.folder / "state" / "server" / "server.log"
    before = len(log.read_text())
    assert lake.apply(FILTERED) == []
    calls = [
        line.split()[4].lstrip("/") for line in log.read_text()[before:].splitlines() if " POST /" in line
    ]
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


def test_no_grant_is_revoked_unless_the_caller_agrees(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    with pytest.raises(BlockedError, match="takes something away"):
        apply(lake.settings(""), confirm=lambda plan: False, on_change=lambda change: None)
    assert len(seen(lake)) == 3


def test_a_grant_that_appears_during_an_apply_is_revoked_only_if_the_caller_agrees(
    lake: GovernedLake,
) -> None:
    """The plan revokes nothing. While it is applied, another program makes a grant that is not in the settings."""
    lake.apply("")
    text = grant("role:analyst", 'table = "gold.weather_daily"', "SELECT")
    questions: list[str] = []

    def interfere(_: Change) -> None:
        lake.client("lakeformation").grant_permissions(
            Principal={"DataLakePrincipalIdentifier": arn("analyst")},
            Resource={"Table": {"DatabaseName": "gold", "Name": "weather_monthly"}},
            Permissions=["SELECT"],
        )

    def answer(planned: Plan, *, yes: bool = False) -> bool:
        questions.extend(change.text for change in planned.changes)
        return yes

    with pytest.raises(
        BlockedError, match="takes something away, and it was not confirmed; 1 change made before it"
    ):
        apply(lake.settings(text), confirm=answer, on_change=interfere)
    assert questions == [f"SELECT on gold.weather_monthly from {arn('analyst')}"]
    assert len(seen(lake, "select * from weather_monthly")) == 5
    assert apply(lake.settings(text), confirm=partial(answer, yes=True), on_change=lambda change: None) == 1
    assert len(questions) == 2
    with pytest.raises(AccessError):
        seen(lake, "select * from weather_monthly")


def test_only_changes_that_appear_later_are_asked_about_again(lake: GovernedLake) -> None:
    lake.apply(grant("role:analyst", 'table = "gold.weather_daily"', "SELECT"))
    questions: list[list[str]] = []

    def answer(planned: Plan) -> bool:
        questions.append([change.text for change in planned.changes])
        return True

    def interfere(change: Change) -> None:
        if change.phase == "revokes" and len(questions) == 1:
            lake.client("lakeformation").grant_permissions(
                Principal={"DataLakePrincipalIdentifier": arn("engineer")},
                Resource={"Table": {"DatabaseName": "gold", "Name": "weather_daily"}},
                Permissions=["SELECT"],
            )

    assert apply(lake.settings(""), confirm=answer, on_change=interfere) == 2
    assert questions == [
        [f"SELECT on gold.weather_daily from {arn('analyst')}"],
        [f"SELECT on gold.weather_daily from {arn('engineer')}"],
    ]


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


# refusals and warnings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FILTERED.replace("city_key in", "citykey in"), "gold.weather_daily has no column citykey"),
        (FILTERED.replace('"lat", "lon"', '"latitude"'), "gold.weather_daily has no column latitude"),
        (
            FILTERED.replace(PATAGONIA, "notes is null"),
            "notes of gold.weather_daily is of type array<string>",
        ),
        (FILTERED.replace(PATAGONIA, "lat > 1; drop table x"), "rows is one expression"),
        (
            grant("role:analyst", 'table = "gold.nothing"', "SELECT"),
            "the catalog has no table gold.nothing",
        ),
        (
            '[governance.assign]\n"gold.weather_daily.nope" = { zone = "raw" }\n',
            "gold.weather_daily has no column nope",
        ),
    ],
)
def test_settings_that_contradict_the_catalog_are_refused_by_the_plan_with_their_place(
    lake: GovernedLake, text: str, says: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        plan(lake.settings(text))
    (problem_text,) = [problem for problem in error.value.problems if says in problem]
    place, line = problem_text.partition(": ")[0], int(problem_text.split(":")[1])
    assert place.startswith("etltctl.toml:")
    assert line > ZONES.count("\n")


def test_a_filter_on_a_view_is_refused(lake: GovernedLake) -> None:
    view = {
        "Name": "weather_daily_view",
        "TableType": "VIRTUAL_VIEW",
        "StorageDescriptor": {"Columns": [{"Name": "city_key", "Type": "string"}]},
    }
    lake.client("glue").create_table(DatabaseName="gold", TableInput=view)
    try:
        with pytest.raises(ConfigurationError) as error:
            plan(
                lake.settings('[governance.filters."gold.weather_daily_view".f]\nrows = "city_key = \'x\'"\n')
            )
        assert "gold.weather_daily_view is a view" in error.value.problems[0]
        with pytest.raises(ClientError, match="not supported on views"):
            lake.client("lakeformation").create_data_cells_filter(
                TableData=filter_data("weather_daily_view", "city_key = 'x'")
            )
    finally:
        lake.client("glue").delete_table(DatabaseName="gold", Name="weather_daily_view")


def filter_data(table: str, rows: str, **more: Any) -> dict[str, Any]:
    named = {"TableCatalogId": ACCOUNT, "DatabaseName": "gold", "TableName": table, "Name": "f"}
    return {**named, "RowFilter": {"FilterExpression": rows}, "ColumnWildcard": {}, **more}


def test_a_filter_that_a_wider_grant_makes_useless_gets_a_warning(lake: GovernedLake) -> None:
    planned = plan(lake.settings(FILTERED + grant("role:analyst", 'tags = { zone = ["curated"] }', "SELECT")))
    assert planned.warnings == (
        f"{arn('analyst')} sees gold.weather_daily through a filter and also tables tagged zone=curated: "
        "the filter is void",
    )


def test_the_grants_of_a_table_that_does_not_exist_yet_are_postponed(lake: GovernedLake) -> None:
    text = grant("role:analyst", 'table = "gold.day_ranking"', "SELECT")
    planned = plan(lake.settings(text))
    assert "gold.day_ranking" in planned.warnings[0]
    assert not [change for change in planned.changes if "day_ranking" in change.text]


# who, audit, the check before a step


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
    assert list(missing_in([need], settings, State(), {}, frozenset({caller}))) == []


def test_an_administrator_may_create_tables_at_any_location_but_not_alter_tables_of_others(
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
    assert lacks(frozenset({caller})) == ["ALTER"]


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


# the embedded service itself


@pytest.mark.parametrize(
    ("operation", "arguments", "says"),
    [
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "nope = 1")},
            "unknown columns",
        ),
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "lat >")},
            "Invalid filter expression",
        ),
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "notes is null")},
            "nested types",
        ),
        (
            "create_data_cells_filter",
            {"TableData": filter_data("weather_daily", "lat > 1", ColumnNames=["nope"], ColumnWildcard=None)},
            "Column(s) not found",
        ),
        ("create_data_cells_filter", {"TableData": filter_data("nothing", "lat > 1")}, "Table not found"),
        (
            "create_lf_tag",
            {"TagKey": "many", "TagValues": [str(n) for n in range(51)]},
            "between 1 and 50|Between 1 and 50",
        ),
        ("register_resource", {"ResourceArn": "arn:aws:s3:::x"}, "A role must be given"),
    ],
)
def test_the_embedded_service_refuses_the_same_calls_as_aws(
    lake: GovernedLake, operation: str, arguments: dict[str, Any], says: str
) -> None:
    data = arguments.get("TableData", {})
    arguments = {
        **arguments,
        **({"TableData": {k: v for k, v in data.items() if v is not None}} if data else {}),
    }
    with pytest.raises(Exception, match=says.replace("(s)", r"\(s\)")):
        getattr(lake.client("lakeformation"), operation)(**arguments)


@pytest.mark.parametrize(
    ("principal", "permissions", "says"),
    [
        ("arn:aws:iam::123456789012:role/unknown", ["SELECT"], "Invalid principal"),
        (arn("visitor"), ["CREATE_TABLE"], "Permissions modification is invalid"),
    ],
)
def test_the_embedded_service_reports_failures_in_the_body(
    lake: GovernedLake, principal: str, permissions: list[str], says: str
) -> None:
    lake.apply("")
    table = {"Table": {"DatabaseName": "gold", "Name": "weather_daily"}}
    entry = {
        "Id": "1",
        "Principal": {"DataLakePrincipalIdentifier": principal},
        "Resource": table,
        "Permissions": permissions,
    }
    (failure,) = lake.client("lakeformation").batch_grant_permissions(Entries=[entry])["Failures"]
    assert says in failure["Error"]["ErrorMessage"]


def test_all_and_select_are_listed_expanded_as_aws_lists_them(lake: GovernedLake) -> None:
    lake.apply("")
    client, visitor = lake.client("lakeformation"), {"DataLakePrincipalIdentifier": arn("visitor")}
    table = {"Table": {"DatabaseName": "gold", "Name": "weather_daily"}}
    client.grant_permissions(Principal=visitor, Resource=table, Permissions=["ALL"])
    rows = client.list_permissions(Principal=visitor)["PrincipalResourcePermissions"]
    assert {next(iter(row["Resource"])): row["Permissions"] for row in rows} == {
        "Table": ["ALL", "ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT"],
        "TableWithColumns": ["SELECT"],
    }
    assert {
        str(row["Resource"]["TableWithColumns"]["ColumnWildcard"])
        for row in rows
        if "TableWithColumns" in row["Resource"]
    } == {"{}"}
    with pytest.raises(ClientError, match="Grantee does not have"):
        client.revoke_permissions(
            Principal=visitor, Resource={"Database": {"Name": "gold"}}, Permissions=["DESCRIBE"]
        )
    role = lake.client("sts").assume_role(RoleArn=arn("visitor"), RoleSessionName="visit")["Credentials"]
    with pytest.raises(ClientError, match="AccessDenied"):
        as_visitor(lake, role).grant_permissions(Principal=visitor, Resource=table, Permissions=["SELECT"])


def as_visitor(lake: GovernedLake, request: dict[str, Any]) -> Any:
    import boto3

    return boto3.client(
        "lakeformation", endpoint_url=lake.environ["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id=request["AccessKeyId"], aws_secret_access_key=request["SecretAccessKey"],
        aws_session_token=request["SessionToken"],
    )  # fmt: skip


def test_grants_and_tags_of_a_table_are_deleted_with_it(lake: GovernedLake) -> None:
    glue = lake.client("glue")
    table = {
        "Name": "brief",
        "StorageDescriptor": {"Columns": [{"Name": "n", "Type": "int"}], "Location": "s3://pi-m3-gold/b/"},
    }
    glue.create_table(DatabaseName="gold", TableInput=table)
    client, visitor = lake.client("lakeformation"), {"DataLakePrincipalIdentifier": arn("visitor")}
    about = {"Table": {"DatabaseName": "gold", "Name": "brief"}}
    client.grant_permissions(Principal=visitor, Resource=about, Permissions=["ALTER"])
    glue.delete_table(DatabaseName="gold", Name="brief")
    glue.create_table(DatabaseName="gold", TableInput=table)
    rows = client.list_permissions(Resource=about)["PrincipalResourcePermissions"]
    assert arn("visitor") not in {row["Principal"]["DataLakePrincipalIdentifier"] for row in rows}
    glue.delete_table(DatabaseName="gold", Name="brief")


def test_times_are_parsed_and_ninety_days_are_the_maximum() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert since_when("12h", now) == now - timedelta(hours=12)
    assert since_when("2026-11-01", now) == datetime(2026, 11, 1, tzinfo=UTC)
    assert since_when("1000d", now) == now - timedelta(days=90)
    with pytest.raises(UsageError, match="'yesterday' is not a valid time"):
        since_when("yesterday", now)
