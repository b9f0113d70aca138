"""Over the wire, from random settings to others: these are reached, and common permissions are never missing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etltctl.governance import apply, plan
from support.governed import GovernedLake, governed_lake

PRINCIPALS = ("role:analyst", "role:engineer")
ABOUT = (
    ('table = "gold.weather_daily"', ("SELECT", "DESCRIBE", "ALTER", "ALL")),
    ('table = "gold.weather_daily"\ncolumns = ["city_key", "lat"]', ("SELECT",)),
    ('table = "gold.weather_daily"\nexclude_columns = ["lon"]', ("SELECT",)),
    ('table = "gold.weather_daily"\nfilters = ["south"]', ("SELECT",)),
    ('table = "gold.weather_daily"\nfilters = ["north", "south"]', ("SELECT",)),
    ('tags = { zone = ["curated"] }', ("SELECT", "DESCRIBE", "ALL")),
    ('tags = { zone = ["curated", "trusted"], audience = ["all"] }', ("SELECT",)),
    ('tags = { audience = ["named"] }\non = "databases"', ("DESCRIBE",)),
    ('layer = "silver"', ("CREATE_TABLE", "DESCRIBE", "ALL")),
    ('layer = "gold"\non = "tables"', ("SELECT", "INSERT", "ALL")),
    ('location = "gold"', ("DATA_LOCATION_ACCESS",)),
)
TAGGED = ("gold", "silver", "gold.weather_daily", "gold.weather_daily.lat", "gold.weather_monthly")


@st.composite
def grants(draw: st.DrawFn) -> str:
    about, known = draw(st.sampled_from(ABOUT))
    permissions = sorted(draw(st.sets(st.sampled_from(known), min_size=1)))
    grantable = sorted(draw(st.sets(st.sampled_from(permissions)))) if draw(st.booleans()) else []
    principal = draw(st.sampled_from(PRINCIPALS))
    return (
        f'[[governance.grants]]\nprincipal = "{principal}"\n{about}\n'
        f"permissions = {permissions!r}\ngrantable = {grantable!r}\n"
    )


@st.composite
def governances(draw: st.DrawFn) -> str:
    """Draw settings of tags, their assignment, filters and grants."""
    assigned = draw(st.dictionaries(st.sampled_from(TAGGED), st.sampled_from(("all", "named")), max_size=4))
    tags = "".join(f'"{place}" = {{ audience = "{value}" }}\n' for place, value in assigned.items())
    rows = draw(st.sampled_from(("city_key = 'newark'", "lat > 1")))
    grant_lines = "".join(draw(st.lists(grants(), max_size=5)))
    return (
        f'[governance.tags]\naudience = ["all", "named"]\n[governance.assign]\n{tags}'
        f'[governance.filters."gold.weather_daily".south]\nrows = "{rows}"\n'
        f'[governance.filters."gold.weather_daily".north]\nexclude_columns = ["lat"]\n{grant_lines}'
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    with governed_lake(tmp_path_factory.mktemp("properties"), os.environ) as governed:
        yield governed


@given(governances(), governances())
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_settings_lead_to_any_others(lake: GovernedLake, first: str, second: str) -> None:
    lake.apply(first)
    before = lake.permissions()
    seen = []
    desired = lake.settings(second)
    apply(
        desired,
        confirm=lambda plan: True,
        on_change=lambda change: seen.append((change.text, lake.permissions())),
    )
    assert plan(desired).changes == ()
    kept = before & lake.permissions()
    for text, rows in seen:
        assert kept <= rows, f"missing after: {text}"
    log = lake.folder / "state" / "server" / "server.log"
    before_second = len(log.read_text())
    assert lake.apply(second) == []
    changes = log.read_text()[before_second:]
    assert "/ListPermissions" in changes
    assert not any(
        f"/{verb}" in changes for verb in ("Batch", "Put", "Create", "Add", "Update", "Delete", "Remove")
    )
