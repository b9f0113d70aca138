"""The rows and columns that principals see: filters, LF-tags, and what a grant leaves out."""

from __future__ import annotations

import pytest

from etltctl.errors import AccessError
from etltctl.governance import plan
from support.governed import FILTERED, ZONES, GovernedLake, arn, grant, seen


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
