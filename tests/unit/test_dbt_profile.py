"""The profile of dbt: its targets follow the settings, and it holds no secret."""

from __future__ import annotations

from pathlib import Path

import yaml

from etltctl.local.client.dbt_profile import as_yaml, dbt_profile
from etltctl.settings import load_settings


def test_the_profile_is_yaml_and_follows_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "etltctl.toml"
    file.write_text(
        'version = 1\nproject = "my-lake"\n[lake]\nbronze = "s3://b"\nsilver = "s3://s"\ngold = "s3://g/below"\n'
        'scripts = "s3://x"\n[athena]\nworkgroup = "people"\noutput_location = "s3://results/"\n'
    )
    profile = dbt_profile(load_settings(config=file, env="local", environ={}))
    assert yaml.safe_load(as_yaml(profile)) == profile
    target = profile["etltctl"]["outputs"][profile["etltctl"]["target"]]
    assert (target["schema"], target["work_group"]) == ("my_lake_dbt", "people")
    assert (target["s3_data_dir"], target["s3_staging_dir"]) == ("s3://g/below/dbt/", "s3://results/")
    assert not {name for name in target if "key" in name or "secret" in name}
