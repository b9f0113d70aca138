"""`etltctl athena describe` on the lake of the samples, whose tables have descriptions of several sentences."""

from __future__ import annotations

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.e2e


def test_a_long_description_is_wrapped_at_100_columns(sample_lake: Workplace) -> None:
    described = sample_lake.json("athena", "describe", "gold.weather_daily")["rows"]
    assert any(len(row["description"]) > 100 for row in described)
    text = sample_lake.run("athena", "describe", "gold.weather_daily").stdout
    assert [line for line in text.splitlines() if len(line) > 100] == []
    assert all(row["name"] in text for row in described)
