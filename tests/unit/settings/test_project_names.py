"""Names that follow from the project: two projects in one account share none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.names import Names
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample


def settings(folder: Path, text: str, **flags: Any) -> Settings:
    """Return the settings of a file with this text."""
    (folder / "etltctl.toml").write_text(on_sample(text))
    named = {name.replace("__", "."): value for name, value in flags.items()}
    return load_settings(config=folder / "etltctl.toml", environ={}, flags=named)


@pytest.mark.parametrize("env", ["local", "aws"])
def test_databases_workgroup_and_roles_carry_the_project_in_every_environment(
    tmp_path: Path, env: str
) -> None:
    loaded = settings(tmp_path, f'project = "My-lake.2"\ndefault_env = "{env}"\n[athena]\nworkgroup = ""\n')
    assert loaded.athena.databases == {
        "bronze": "my_lake_2_bronze",
        "silver": "my_lake_2_silver",
        "silver_rejects": "my_lake_2_silver_rejects",
        "gold": "my_lake_2_gold",
    }
    assert loaded.athena.workgroup == "My-lake.2"
    assert {job.role for job in loaded.glue.jobs.values()} == {"My-lake.2-glue"}


def test_the_shipped_settings_name_no_database(tmp_path: Path) -> None:
    loaded = settings(tmp_path, "")
    assert loaded.athena.databases["gold"] == "pi_m3_gold"
    origins = {value.key: value.origin for value in loaded.values()}
    assert origins["athena.databases.gold"] == "default"


def test_names_from_the_settings_stay_as_they_are(tmp_path: Path) -> None:
    text = '[athena.databases]\ngold = "gold"\n[glue.jobs.bronze_to_silver]\nrole = "arn:aws:iam::1:role/x"\n'
    loaded = settings(tmp_path, text)
    assert (loaded.athena.databases["gold"], loaded.athena.databases["silver"]) == ("gold", "pi_m3_silver")
    assert loaded.glue.jobs["bronze_to_silver"].role == "arn:aws:iam::1:role/x"


def test_a_job_prefix_is_part_of_the_names_at_glue_only(tmp_path: Path) -> None:
    names = settings(tmp_path, '[glue]\njob_prefix = "sea-"\n').glue.names
    assert names.at_glue("bronze_to_silver") == "sea-bronze_to_silver"
    assert names.in_settings("sea-bronze_to_silver") == "bronze_to_silver"


@pytest.mark.parametrize("prefix", ["a b", "a/", "ö", "x" * 101])
def test_a_job_prefix_that_no_policy_could_name_is_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, "", glue__job_prefix=prefix)
    assert "glue.job_prefix must be letters, digits, - and _" in caught.value.problems[0]


@pytest.mark.parametrize("name", ["Gold-1", "a b", "", "gold-1"])
def test_a_database_that_athena_would_not_take_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, f'[athena]\ndatabases = {{ gold = "{name}" }}\n')
    assert "gold must be small letters, digits and _, as Athena takes them" in caught.value.problems[0]


def test_two_layers_cannot_share_a_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, '[athena]\ndatabases = { gold = "pi_m3_silver" }\n')
    assert "the layers silver and gold cannot share the database pi_m3_silver" in caught.value.problems[0]


@pytest.mark.parametrize("project", ["my lake", "-lake", "my_lake", "x" * 50])
def test_a_project_that_cannot_name_a_stack_and_its_roles_is_refused_by_name(
    tmp_path: Path, project: str
) -> None:
    names = Names(settings(tmp_path, "", project=project, infra__stack="lake"))
    with pytest.raises(ConfigurationError, match="project must begin with a letter") as caught:
        names.require_valid()
    assert "at most 49 characters" in caught.value.message
