"""The profile of dbt: its targets follow the settings, and it holds no secret."""

from __future__ import annotations

from pathlib import Path

import yaml

from etltctl.local.client.dbt_profile import as_yaml, dbt_profile
from etltctl.settings import load_settings

PROJECT = Path(__file__).parents[2]


def test_the_profile_is_yaml_and_follows_the_settings() -> None:
    environ = {"ETLTCTL__LAKE__GOLD": "s3://gold/below", "ETLTCTL__ATHENA__WORKGROUP": "people"}
    profile = dbt_profile(load_settings(config=PROJECT / "etltctl.toml", env="local", environ=environ))
    assert yaml.safe_load(as_yaml(profile)) == profile
    target = profile["etltctl"]["outputs"][profile["etltctl"]["target"]]
    assert (target["schema"], target["work_group"]) == ("pi_m3_dbt", "people")
    assert (target["s3_data_dir"], target["s3_staging_dir"]) == (
        "s3://gold/below/dbt/",
        "s3://pi-m3-athena-results/",
    )
    assert not {name for name in target if "key" in name or "secret" in name}
