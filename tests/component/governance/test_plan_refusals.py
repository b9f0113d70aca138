"""Settings that the plan refuses, and settings that it warns of."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from etltctl.errors import ConfigurationError
from etltctl.governance import plan
from support.governed import (
    FILTERED,
    PATAGONIA,
    ZONES,
    GovernedLake,
    arn,
    filter_data,
    grant,
)


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
